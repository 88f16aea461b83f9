//! Recovers the log from the segments of a folder: its entries, the vote, and where writing continues.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::frame::{self, FrameAt};
use super::record::Record;
use crate::host::{Disk, read_all};
use crate::raft::types::{Entry, LogId, Vote};

/// The first bytes of each segment: magic and format version.
pub const SEGMENT_HEADER: [u8; 8] = *b"SQLOG\0\0\x01";

/// The log in memory: all entries that are not purged.
#[derive(Debug, Default)]
pub struct Window {
    /// The last vote.
    pub vote: Option<Vote>,
    /// The last purged entry.
    pub purged: Option<LogId>,
    /// The entries after it, without gaps.
    pub entries: VecDeque<Entry>,
}

impl Window {
    /// Returns the index of the first entry, or of the next one if there is none.
    pub fn first_index(&self) -> u64 {
        self.entries.front().map_or_else(|| self.purged.map_or(0, |id| id.index + 1), |entry| entry.log_id.index)
    }

    /// Returns the ID of the last entry, purged or not.
    pub fn last_log_id(&self) -> Option<LogId> {
        self.entries.back().map(|entry| entry.log_id).or(self.purged)
    }

    /// Applies a record. Refuses an entry that leaves a gap.
    pub fn apply(&mut self, record: Record) -> io::Result<()> {
        match record {
            Record::Append(entry) => {
                let next = self.last_log_id().map_or(0, |id| id.index + 1);
                // After an installed snapshot, the log starts at any index.
                if entry.log_id.index != next && !self.entries.is_empty() {
                    let message = format!("entry {} follows entry {}", entry.log_id.index, next.wrapping_sub(1));
                    return Err(io::Error::new(io::ErrorKind::InvalidData, message));
                }
                self.entries.push_back(entry);
            }
            Record::Vote(vote) => self.vote = Some(vote),
            Record::Truncate(after) => {
                let keep = after.map_or(0, |id| id.index + 1);
                while self.entries.back().is_some_and(|entry| entry.log_id.index >= keep) {
                    self.entries.pop_back();
                }
            }
            Record::Purge(upto) => {
                while self.entries.front().is_some_and(|entry| entry.log_id.index <= upto.index) {
                    self.entries.pop_front();
                }
                self.purged = self.purged.max(Some(upto));
            }
        }
        Ok(())
    }
}

/// An existing segment.
#[derive(Debug)]
pub struct Segment {
    /// File that holds it.
    pub path: PathBuf,
    /// Largest index of its entries; `None` without entries.
    pub max_index: Option<u64>,
}

/// The contents of a log folder.
#[derive(Debug, Default)]
pub struct Recovered {
    /// Entries, vote and last purged entry.
    pub window: Window,
    /// Segments in order; new frames are appended to the last one.
    pub segments: Vec<Segment>,
    /// Number of the next frame.
    pub next_frame: u64,
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

/// Recovers the log of a folder. Cuts off a torn end; any other damage is an error that names the file and the offset.
pub fn recover(disk: &dyn Disk, folder: &Path) -> io::Result<Recovered> {
    let paths = segments_in(disk, folder)?;
    let mut recovered = Recovered::default();
    let last = paths.len().saturating_sub(1);
    for (index, path) in paths.into_iter().enumerate() {
        let bytes = Bytes::from(read_all(disk, &path)?);
        if index == last && bytes.len() < SEGMENT_HEADER.len() {
            // The process crashed between creating the file and writing its header.
            disk.remove(&path)?;
            continue;
        }
        if !bytes.starts_with(&SEGMENT_HEADER) {
            return Err(damaged(&path, 0, "not a log segment of format version 1"));
        }
        read_segment(disk, path, &bytes, index == last, &mut recovered)?;
    }
    Ok(recovered)
}

fn damaged(path: &Path, offset: usize, what: &str) -> io::Error {
    let message = format!(
        "{} is damaged at offset {offset}: {what}; this member cannot recover: remove its data folder and let it \
         rejoin as a new member",
        path.display()
    );
    io::Error::new(io::ErrorKind::InvalidData, message)
}

fn read_segment(
    disk: &dyn Disk,
    path: PathBuf,
    bytes: &Bytes,
    is_last: bool,
    recovered: &mut Recovered,
) -> io::Result<()> {
    let mut at = SEGMENT_HEADER.len();
    let mut max_index = None;
    loop {
        match frame::read(bytes, at) {
            FrameAt::End => break,
            FrameAt::Whole(frame) => {
                let first = recovered.segments.is_empty() && max_index.is_none() && at == SEGMENT_HEADER.len();
                if !first && frame.number != recovered.next_frame {
                    let what = format!("found frame {} instead of frame {}", frame.number, recovered.next_frame);
                    return Err(damaged(&path, at, &what));
                }
                recovered.next_frame = frame.number + 1;
                for record in Record::read_all(bytes.slice(frame.body.clone()))
                    .map_err(|error| damaged(&path, at, &error.to_string()))?
                {
                    if let Record::Append(entry) = &record {
                        max_index = max_index.max(Some(entry.log_id.index));
                    }
                    recovered.window.apply(record).map_err(|error| damaged(&path, at, &error.to_string()))?;
                }
                at = frame.body.end;
            }
            FrameAt::Broken if is_last && frame::find_whole_after(bytes, at).is_none() => {
                tracing::warn!(file = %path.display(), offset = at, bytes = bytes.len() - at, "cut off the torn end of the log");
                disk.truncate(&path, at as u64)?;
                break;
            }
            FrameAt::Broken => return Err(damaged(&path, at, "a frame is incomplete or its checksum is wrong")),
        }
    }
    recovered.segments.push(Segment { path, max_index });
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::host::LocalDisk;
    use crate::raft::types::{LeaderId, Payload};

    /// Writes two segments of one-entry frames. Returns the files and the offsets of their frames.
    fn write_log(folder: &Path) -> Vec<(PathBuf, Vec<usize>)> {
        let mut files = Vec::new();
        for first in [0u64, 6] {
            let (mut bytes, mut starts) = (SEGMENT_HEADER.to_vec(), Vec::new());
            for number in first..first + 6 {
                starts.push(bytes.len());
                let log_id = LogId::new(LeaderId { term: 1, node_id: 1 }, number);
                let command = crate::raft::types::Command(Bytes::from(vec![7; 40]));
                let mut body = Vec::new();
                Record::Append(Entry { log_id, payload: Payload::Normal(command) }).write(&mut body).unwrap();
                frame::write(number, &body, &mut bytes);
            }
            let path = segment_path(folder, first);
            fs::write(&path, bytes).unwrap();
            files.push((path, starts));
        }
        files
    }

    /// Returns the number of recovered entries, or the error. Asserts that they are the first entries, without a gap.
    fn outcome(folder: &Path) -> Result<usize, String> {
        let recovered = recover(&LocalDisk, folder).map_err(|error| error.to_string())?;
        let indexes = recovered.window.entries.iter().map(|entry| entry.log_id.index);
        assert!(indexes.eq(0..recovered.window.entries.len() as u64), "there is a gap");
        Ok(recovered.window.entries.len())
    }

    #[test]
    fn whatever_is_cut_off_or_garbled_is_recovered_or_refused_and_never_a_gap() {
        let folder = tempfile::tempdir().unwrap();
        let files = write_log(folder.path());
        assert_eq!(outcome(folder.path()), Ok(12));
        let (last, starts) = files.last().unwrap();
        let whole = fs::read(last).unwrap();
        for len in 0..whole.len() {
            fs::write(last, &whole[..len]).unwrap();
            let kept = starts.iter().skip(1).chain([&whole.len()]).filter(|end| **end <= len).count();
            assert_eq!(outcome(folder.path()), Ok(6 + kept), "the last segment, cut off at {len}");
        }
        for (path, starts) in &files {
            write_log(folder.path());
            let whole = fs::read(path).unwrap();
            let torn_from = if path == last { *starts.last().unwrap() } else { whole.len() };
            for at in 0..whole.len() {
                write_log(folder.path());
                let mut bytes = whole.clone();
                bytes[at] ^= 0x20;
                fs::write(path, bytes).unwrap();
                match outcome(folder.path()) {
                    Ok(left) => assert!(at >= torn_from && left == 11, "byte {at} of {} went unseen", path.display()),
                    Err(error) => {
                        assert!(at < torn_from && error.contains(&path.display().to_string()), "byte {at}: {error}");
                    }
                }
            }
        }
        // A truncated segment in the middle of the log is damage, wherever it is cut.
        let (first, _) = &files[0];
        write_log(folder.path());
        let whole = fs::read(first).unwrap();
        for len in 0..whole.len() {
            fs::write(first, &whole[..len]).unwrap();
            assert!(outcome(folder.path()).is_err(), "the first segment, cut off at {len}");
        }
    }
}
