//! The log on disk: segments of checksummed frames, with one frame and one fsync for all waiting writes.
//!
//! `frame` defines the bytes of a frame, `record` its content, and `segment` the start of a file. `recover` reads a
//! folder after a crash, `writer` is the only thread that writes, `mark` records how far it came, `window` knows the
//! entries and holds the latest in memory, and `storage` is openraft's interface. `tear` damages a log on purpose. `docs/decisions/0001-own-log.md` explains why this log is our own.

mod folder;
mod frame;
mod mark;
mod record;
mod recover;
mod segment;
mod storage;
mod tear;
mod window;
mod writer;

pub use folder::{Begun, LogFolder};
pub use frame::write as frame_into;
pub use recover::{CANNOT_RECOVER, read as read_segments};
pub use segment::header as segment_header;
pub use storage::LogStorage;
pub use tear::tear;
pub use window::Found;
