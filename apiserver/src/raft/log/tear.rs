//! Tears a log: the fault of a power cut in the middle of a write.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use super::frame;
use super::segment::segments_in;
use crate::host::Disk;

/// How much of the frame's header is written.
const WRITTEN: usize = 13;

/// Appends the beginning of a frame to the last segment of a log that no process has open.
///
/// # Errors
/// Fails if there is no segment, or if it cannot be written.
pub fn tear(disk: &dyn Disk, folder: &Path) -> io::Result<()> {
    let segments = segments_in(disk, folder)?;
    let last = segments.last().ok_or_else(|| {
        let message = format!("there is no log in {} to tear", folder.display());
        io::Error::new(io::ErrorKind::NotFound, message)
    })?;
    let mut torn = Vec::new();
    frame::write(0, &[0; 64], &mut torn);
    torn.truncate(WRITTEN);
    File::options().append(true).open(last)?.write_all(&torn)
}
