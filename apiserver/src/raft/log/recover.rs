//! Recovers the log from the segments of a folder: its entries, the vote, and where writing continues.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::frame::{self, FrameAt};
use super::record::Record;
use super::window::{Place, Window};
use crate::host::{Disk, read_all};

/// The first bytes of each segment: magic and format version.
pub const SEGMENT_HEADER: [u8; 8] = *b"SQLOG\0\0\x01";

/// An existing segment.
#[derive(Debug)]
pub struct Segment {
    /// File that holds it.
    pub path: Arc<Path>,
    /// Largest index of its entries; `None` without entries.
    pub max_index: Option<u64>,
}

/// The contents of a log folder.
#[derive(Debug)]
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

/// Recovers the log of a folder into a window that holds `held_bytes`. Cuts off a torn end; any other damage is an error
/// that names the file and the offset.
pub fn recover(disk: &dyn Disk, folder: &Path, held_bytes: usize) -> io::Result<Recovered> {
    let paths = segments_in(disk, folder)?;
    let mut recovered = Recovered { window: Window::new(held_bytes), segments: Vec::new(), next_frame: 0 };
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
    let path: Arc<Path> = path.into();
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
                let body = bytes.slice(frame.body.clone());
                read_frame(&path, &body, frame.body.start, &mut max_index, &mut recovered.window)
                    .map_err(|error| damaged(&path, at, &error.to_string()))?;
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

/// Applies the records of a frame whose body starts at `start` of its segment.
fn read_frame(
    segment: &Arc<Path>,
    body: &Bytes,
    start: usize,
    max_index: &mut Option<u64>,
    window: &mut Window,
) -> io::Result<()> {
    for (record, range) in Record::read_all(body.clone())? {
        let appended = match &record {
            Record::Append(entry) => Some(entry.log_id),
            _ => None,
        };
        window.apply(record)?;
        if let Some(id) = appended {
            *max_index = (*max_index).max(Some(id.index));
            window.written(id, Place::new(segment.clone(), start as u64, &body[range.clone()], range.start));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::host::LocalDisk;
    use crate::raft::log::window::Found;
    use crate::raft::types::{Entry, LeaderId, LogId, Payload};

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
        let recovered = recover(&LocalDisk, folder, usize::MAX).map_err(|error| error.to_string())?;
        let entries = recovered.window.find(0..u64::MAX, usize::MAX);
        let indexes = entries.iter().map(|found| match found {
            Found::Here(entry) => entry.log_id.index,
            Found::OnDisk(..) => panic!("everything fits into memory"),
        });
        assert!(indexes.eq(0..entries.len() as u64), "there is a gap");
        Ok(entries.len())
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
