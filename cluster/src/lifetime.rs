//! The lifetime of members.

/// Whether members outlive the process that starts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// They end with it, however it ends.
    Attached,
    /// They keep running.
    Detached,
}
