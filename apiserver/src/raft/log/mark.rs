//! How far the log was on disk, in a note beside its folder. A crash tears only what was never acknowledged, so a log
//! that ends before its mark has lost entries that were: it was cut off, or replaced by an older one.

use std::io;
use std::ops::Range;
use std::path::Path;

use super::folder::LogFolder;
use crate::host::{Disk, Note, read_all};

/// The first bytes of a mark: magic and format version.
const MAGIC: [u8; 8] = *b"SQMARK\0\x01";
/// Magic, member ID, number of frames, checksum of all this.
const LEN: usize = 8 + 8 + 8 + 4;

/// The mark of a log that is open.
pub struct Mark {
    note: Box<dyn Note>,
    member: u64,
}

impl Mark {
    /// Opens the mark of a log, or creates it durably.
    pub fn open(folder: &LogFolder) -> io::Result<Self> {
        let note = folder.disk.note(&folder.mark)?;
        if let Some(parent) = folder.mark.parent() {
            folder.disk.sync_folder(parent)?;
        }
        Ok(Self { note, member: folder.member })
    }

    /// Records that the frames below this number are on disk. A mark that a power loss takes back promises less.
    pub fn put(&mut self, frames: u64) -> io::Result<()> {
        self.note.put(&encode(self.member, frames))
    }
}

fn encode(member: u64, frames: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(LEN);
    bytes.extend(MAGIC);
    bytes.extend(member.to_le_bytes());
    bytes.extend(frames.to_le_bytes());
    bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
    bytes
}

/// Reads how many frames a member's log must have. A mark that is missing or unreadable promises nothing: the log's own
/// checks are left.
pub fn read(disk: &dyn Disk, path: &Path, member: u64) -> io::Result<u64> {
    let bytes = match read_all(disk, path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let word = |place: Range<usize>| bytes.get(place).and_then(|b| b.try_into().ok()).map(u64::from_le_bytes);
    let (Some(owner), Some(frames)) = (word(8..16), word(16..24)) else {
        return Ok(unreadable(path));
    };
    if bytes != encode(owner, frames) {
        return Ok(unreadable(path));
    }
    if owner != member {
        let message = format!("{} belongs to member {owner}, not to {member}", path.display());
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    Ok(frames)
}

fn unreadable(path: &Path) -> u64 {
    tracing::warn!(file = %path.display(), "the mark of the log is damaged: a log that was cut off goes unnoticed this time");
    0
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::host::LocalDisk;

    #[test]
    fn a_mark_reads_back_and_a_damaged_one_promises_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.mark");
        assert_eq!(read(&LocalDisk, &path, 7).unwrap(), 0, "there is none");
        let whole = encode(7, 300);
        fs::write(&path, &whole).unwrap();
        assert_eq!(read(&LocalDisk, &path, 7).unwrap(), 300);
        assert!(read(&LocalDisk, &path, 8).unwrap_err().to_string().ends_with("belongs to member 7, not to 8"));
        for bit in 0..whole.len() * 8 {
            let mut damaged = whole.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, damaged).unwrap();
            assert_eq!(read(&LocalDisk, &path, 7).unwrap(), 0, "bit {bit}");
        }
        for len in 0..whole.len() {
            fs::write(&path, &whole[..len]).unwrap();
            assert_eq!(read(&LocalDisk, &path, 7).unwrap(), 0, "{len} bytes");
        }
    }
}
