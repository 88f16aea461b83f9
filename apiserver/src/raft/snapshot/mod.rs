//! Whole states on disk: written aside, checksummed, renamed; the same file travels to members that lag too far.

mod blocks;
mod file;
mod folder;
mod stream;

pub use file::{read, write};
pub use folder::SnapshotFolder;
pub use stream::chunks;
