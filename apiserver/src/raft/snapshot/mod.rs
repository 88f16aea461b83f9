//! Whole states on disk: written aside, checksummed, renamed; the same file travels to members that lag too far.

mod blocks;
mod file;
mod folder;

pub use file::{STEP_BYTES, read, write};
pub use folder::SnapshotFolder;
