//! Recovers the log from the segments of a folder: its entries, the vote, and where writing continues.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::folder::{Begun, LogFolder};
use super::frame::{self, FrameAt};
use super::mark;
use super::record::Record;
use super::segment::{HEADER, Segment, check_header, segments_in};
use super::window::{Place, Window};
use crate::host::read_all;

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

/// The leftovers of a crash at the end of a log.
#[derive(Debug, PartialEq, Eq)]
pub enum Torn {
    /// A segment without a whole header.
    Created(PathBuf),
    /// A frame that is not whole begins at this offset of the last segment.
    Written(Arc<Path>, u64),
}

/// Recovers the log of a folder into a window that holds `held_bytes`. Cuts off a torn end; any other damage is an error
/// that names the file and the offset, and changes nothing.
pub fn recover(folder: &LogFolder, held_bytes: usize) -> io::Result<Recovered> {
    let disk = folder.disk.as_ref();
    let paths = segments_in(disk, &folder.path)?;
    let segments = paths.into_iter().map(|path| read_all(disk, &path).map(|bytes| (path, Bytes::from(bytes))));
    let (recovered, torn) = read(segments, folder.member, held_bytes)?;
    check(folder, &recovered)?;
    match torn {
        None => {}
        // The process crashed between creating the file and writing its header.
        Some(Torn::Created(path)) => disk.remove(&path)?,
        Some(Torn::Written(path, at)) => {
            tracing::warn!(file = %path.display(), offset = at, "cut off the torn end of the log");
            disk.truncate(&path, at)?;
        }
    }
    Ok(recovered)
}

/// Reads the segments of a member's log, the oldest first. Returns how the log's end is torn, if it is.
pub fn read(
    segments: impl ExactSizeIterator<Item = io::Result<(PathBuf, Bytes)>>,
    member: u64,
    held_bytes: usize,
) -> io::Result<(Recovered, Option<Torn>)> {
    let mut recovered = Recovered { window: Window::new(held_bytes), segments: Vec::new(), next_frame: 0 };
    let mut torn = None;
    let last = segments.len().saturating_sub(1);
    for (index, segment) in segments.enumerate() {
        let (path, bytes) = segment?;
        let is_last = index == last;
        if is_last && is_unfinished(&bytes) {
            torn = Some(Torn::Created(path));
            continue;
        }
        let start = check_header(&bytes, member).map_err(|what| damaged(&path, 0, &what))?;
        torn = read_segment(path, &bytes, start, is_last, &mut recovered)?;
    }
    Ok((recovered, torn))
}

/// Whether a new segment has no header yet. After a power loss, a part of a file may consist of zeros.
fn is_unfinished(bytes: &[u8]) -> bool {
    let header = bytes.get(..HEADER);
    header.is_none_or(|header| header.iter().all(|byte| *byte == 0)) && frame::find_whole_after(bytes, 0).is_none()
}

/// Checks that the log has all that the member has ever relied on.
fn check(folder: &LogFolder, recovered: &Recovered) -> io::Result<()> {
    let lost = |what: String| {
        let what = format!("{}: {what}; {CANNOT_RECOVER}", folder.path.display());
        Err(io::Error::new(io::ErrorKind::InvalidData, what))
    };
    if recovered.segments.is_empty() && folder.begun == Begun::Yes {
        return lost("the log of this member is gone".to_owned());
    }
    let promised = mark::read(folder.disk.as_ref(), &folder.mark, folder.member)?;
    if recovered.next_frame < promised {
        return lost(format!(
            "the log ends before frame {}, but {promised} frames were on disk: it was cut off, or an older log took its \
             place",
            recovered.next_frame
        ));
    }
    let window = &recovered.window;
    let after_purged = window.purged.map_or(Some(0), |id| id.index.checked_add(1));
    if Some(window.first_index()) != after_purged {
        return lost(format!("the entries before {} are missing", window.first_index()));
    }
    Ok(())
}

/// The end of each refusal. A member that forgot something it has acknowledged may not vote.
pub const CANNOT_RECOVER: &str = "this member cannot recover by itself and must not vote: remove it from its group, and add a \
                              new member in its place";

fn damaged(path: &Path, offset: usize, what: &str) -> io::Error {
    let message = format!("{} is damaged at offset {offset}: {what}; {CANNOT_RECOVER}", path.display());
    io::Error::new(io::ErrorKind::InvalidData, message)
}

/// Reads the frames of a segment from an offset. Returns how its end is torn, if it is.
fn read_segment(
    path: PathBuf,
    bytes: &Bytes,
    start: usize,
    is_last: bool,
    recovered: &mut Recovered,
) -> io::Result<Option<Torn>> {
    let path: Arc<Path> = path.into();
    let mut at = start;
    let mut max_index = None;
    let torn = loop {
        match frame::read(bytes, at) {
            FrameAt::End => break None,
            FrameAt::Whole(frame) => {
                let first = recovered.segments.is_empty() && max_index.is_none() && at == start;
                if !first && frame.number != recovered.next_frame {
                    let what = format!("found frame {} instead of frame {}", frame.number, recovered.next_frame);
                    return Err(damaged(&path, at, &what));
                }
                recovered.next_frame = frame.number.saturating_add(1);
                let body = bytes.slice(frame.body.clone());
                read_frame(&path, &body, frame.body.start, &mut max_index, &mut recovered.window)
                    .map_err(|error| damaged(&path, at, &error.to_string()))?;
                at = frame.body.end;
            }
            FrameAt::Broken if is_last && frame::find_whole_after(bytes, at).is_none() => {
                break Some(Torn::Written(path.clone(), at as u64));
            }
            FrameAt::Broken => return Err(damaged(&path, at, "a frame is incomplete or its checksum is wrong")),
        }
    };
    recovered.segments.push(Segment { path, max_index });
    Ok(torn)
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

    use super::super::segment::{header, segment_path};
    use super::*;
    use crate::host::{Disk, LocalDisk};
    use crate::raft::log::mark::Mark;
    use crate::raft::log::window::Found;
    use crate::raft::types::{Entry, LeaderId, LogId, Payload};

    fn log_folder(folder: &Path) -> LogFolder {
        let path = folder.join("log");
        LocalDisk.create_folder(&path).unwrap();
        LogFolder { disk: Arc::new(LocalDisk), path, mark: folder.join("log.mark"), member: 1, begun: Begun::Yes }
    }

    fn append(index: u64) -> Vec<u8> {
        let log_id = LogId::new(LeaderId { term: 1, node_id: 1 }, index);
        let command = crate::raft::types::Command(Bytes::from(vec![7; 40]));
        let mut body = Vec::new();
        Record::Append(Entry { log_id, payload: Payload::Normal(command) }).write(&mut body).unwrap();
        body
    }

    /// Writes two segments of one-entry frames. Returns the files and the offsets of their frames.
    fn write_log(folder: &Path) -> Vec<(PathBuf, Vec<usize>)> {
        let folder = log_folder(folder);
        let mut files = Vec::new();
        for first in [0u64, 6] {
            let (mut bytes, mut starts) = (header(1).to_vec(), Vec::new());
            for number in first..first + 6 {
                starts.push(bytes.len());
                frame::write(number, &append(number), &mut bytes);
            }
            let path = segment_path(&folder.path, first);
            fs::write(&path, bytes).unwrap();
            files.push((path, starts));
        }
        files
    }

    /// Returns the number of recovered entries, or the error. Asserts that they are the first entries, without a gap.
    fn outcome(folder: &Path) -> Result<usize, String> {
        let recovered = recover(&log_folder(folder), usize::MAX).map_err(|error| error.to_string())?;
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
    #[test]
    fn a_log_that_ends_before_its_mark_is_refused_and_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let files = write_log(folder.path());
        Mark::open(&log_folder(folder.path())).unwrap().put(11).unwrap();
        assert_eq!(outcome(folder.path()), Ok(12), "the mark may be behind");
        let (last, starts) = files.last().unwrap();
        let whole = fs::read(last).unwrap();
        for len in 0..whole.len() {
            fs::write(last, &whole[..len]).unwrap();
            let found = outcome(folder.path());
            if len < starts[5] {
                assert!(
                    found.as_ref().is_err_and(|error| error.contains("but 11 frames were on disk")),
                    "{len}: {found:?}"
                );
                assert_eq!(fs::read(last).unwrap().len(), len, "a refusal changes nothing");
            } else {
                assert_eq!(found, Ok(11), "only the frame that was torn is gone: {len}");
            }
        }
        fs::remove_file(last).unwrap();
        assert!(outcome(folder.path()).unwrap_err().contains("the log ends before frame 6"));
    }

    #[test]
    fn a_log_that_is_gone_or_has_lost_its_beginning_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let files = write_log(folder.path());
        fs::remove_file(&files[0].0).unwrap();
        assert!(outcome(folder.path()).unwrap_err().contains("the entries before 6 are missing"));
        fs::remove_file(&files[1].0).unwrap();
        assert!(outcome(folder.path()).unwrap_err().contains("the log of this member is gone"));
        fs::write(&files[1].0, b"").unwrap();
        assert!(outcome(folder.path()).unwrap_err().contains("the log of this member is gone"));
        let first_start = LogFolder { begun: Begun::No, ..log_folder(folder.path()) };
        assert_eq!(recover(&first_start, 0).unwrap().next_frame, 0);
    }

    #[test]
    fn a_log_of_another_member_or_version_is_refused_and_the_first_version_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let (path, _) = write_log(folder.path()).remove(1);
        fs::remove_file(&path).unwrap();
        let path = segment_path(&log_folder(folder.path()).path, 0);
        let of = |header: &[u8]| {
            let mut bytes = header.to_vec();
            frame::write(0, &append(0), &mut bytes);
            fs::write(&path, bytes).unwrap();
            outcome(folder.path())
        };
        assert_eq!(of(b"SQLOG\0\0\x01"), Ok(1));
        assert!(of(&header(2)).unwrap_err().contains("it belongs to member 2, not to 1"));
        assert!(of(b"SQLOG\0\0\x09").unwrap_err().contains("format version 9"));
        assert!(of(b"something").unwrap_err().contains("it does not begin like a log segment"));
    }
}
