//! Orders to containers.

/// An order to a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Serve.
    Run,
    /// End, as after SIGTERM.
    End,
}
