//! Whole states on disk: written to a temporary file, checksummed, renamed. Members that lag too far get the same file.

mod blocks;
mod file;
mod folder;
mod stream;

pub use blocks::BlockWriter;
pub use file::{Contents, read, read_from, write};
pub use folder::SnapshotFolder;
pub use stream::chunks;
