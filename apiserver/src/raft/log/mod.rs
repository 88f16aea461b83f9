//! The log on disk: segments of checksummed frames, with one frame and one fsync for all waiting writes.
//!
//! `frame` defines the bytes of a frame, and `record` its content. `recover` reads a folder after a crash, `writer` is
//! the only thread that writes, `window` knows the entries and holds the latest in memory, and `storage` is openraft's
//! interface. `tear` damages a log on purpose. `docs/decisions/0001-own-log.md` explains why this log is our own.

mod frame;
mod record;
mod recover;
mod storage;
mod tear;
mod window;
mod writer;

pub use storage::LogStorage;
pub use tear::tear;
