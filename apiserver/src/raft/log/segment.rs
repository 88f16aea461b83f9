//! The files of a log: their names, and the bytes with which each begins.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::host::Disk;

/// The first bytes of each segment, before the format version.
const MAGIC: [u8; 7] = *b"SQLOG\0\0";
/// The format version without a member ID. It is still read.
const ANONYMOUS: u8 = 1;
/// The format version with a member ID.
const OWNED: u8 = 2;
/// Length of the header of a segment that is written now: magic, format version, member ID.
pub const HEADER: usize = 7 + 1 + 8;

/// An existing segment.
#[derive(Debug)]
pub struct Segment {
    /// File that holds it.
    pub path: Arc<Path>,
    /// Largest index of its entries; `None` without entries.
    pub max_index: Option<u64>,
}

/// Returns the file of the segment that starts with this frame.
pub fn segment_path(folder: &Path, first_frame: u64) -> PathBuf {
    folder.join(format!("{first_frame:020}.log"))
}

/// Returns the segments of a folder, the oldest first.
pub fn segments_in(disk: &dyn Disk, folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = disk.files(folder)?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
    Ok(paths)
}

/// Returns the header of a member's segment.
pub fn header(member: u64) -> [u8; HEADER] {
    let mut bytes = [0; HEADER];
    bytes[..7].copy_from_slice(&MAGIC);
    bytes[7] = OWNED;
    bytes[8..].copy_from_slice(&member.to_le_bytes());
    bytes
}

/// Checks the header of a member's segment and returns its length. The error says what is wrong.
pub fn check_header(bytes: &[u8], member: u64) -> Result<usize, String> {
    match bytes.strip_prefix(&MAGIC) {
        Some([ANONYMOUS, ..]) => Ok(const { MAGIC.len() + 1 }),
        Some([OWNED, rest @ ..]) => match rest.first_chunk().copied().map(u64::from_le_bytes) {
            Some(owner) if owner == member => Ok(HEADER),
            Some(owner) => Err(format!("it belongs to member {owner}, not to {member}")),
            None => Err("its header is cut off".to_owned()),
        },
        Some([version, ..]) => {
            Err(format!("it has format version {version}, but this apiserver reads up to version {OWNED}"))
        }
        Some([]) | None => Err("it does not begin like a log segment".to_owned()),
    }
}
