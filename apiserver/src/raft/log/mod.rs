//! The log on disk: segments of checksummed frames, one frame and one fsync for all that waits.
//!
//! `frame` is a frame's bytes, `record` what stands in it, `recover` reads a folder after a crash, `writer` is the one
//! thread that writes, `storage` is what openraft holds. Why this is ours: `docs/decisions/0001-own-log.md`.

mod frame;
mod record;
mod recover;
mod storage;
mod writer;

pub use storage::LogStorage;
