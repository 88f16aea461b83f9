//! The place of a member's log.

use std::path::PathBuf;
use std::sync::Arc;

use crate::host::Disk;

/// Whether a log must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begun {
    /// The member has never had one.
    No,
    /// The member has started before: without its log, it would forget what it has acknowledged.
    Yes,
}

/// The folder of a log, and its mark.
#[derive(Clone)]
pub struct LogFolder {
    /// The disk that holds both.
    pub disk: Arc<dyn Disk>,
    /// Holds the segments. It exists.
    pub path: PathBuf,
    /// The mark, outside the folder: they are not lost together.
    pub mark: PathBuf,
    /// Raft ID of the member.
    pub member: u64,
    /// Whether a log must be there.
    pub begun: Begun,
}
