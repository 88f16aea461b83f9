//! The content of a snapshot: its log ID and membership, then the state.

use std::io::{self, BufReader, BufWriter, Read};
use std::path::Path;
use std::time::Instant;

use bytes::Bytes;
use prost::Message;

use super::blocks::{BlockWriter, read_items};
use crate::host::{Disk, Output};
use crate::keys;
use crate::raft::check;
use crate::raft::types::SnapshotMeta;
use crate::store::{Change, Entry, Outcome, RequestId, Requests, State};

const BUFFER_BYTES: usize = 256 << 10;
/// After each step, the writer rests for this many times as long, to leave the disk to others.
const REST: u32 = 2;
/// Maximum number of unsynced bytes.
const STEP_BYTES: usize = 1 << 20;

/// Largest revision of a snapshot. No cluster comes near, and the state can count on from here.
const MAX_REVISION: u64 = 1 << 48;

/// The first item: everything except entries and requests.
#[derive(Clone, PartialEq, Message)]
struct Head {
    #[prost(bytes = "vec", tag = "1")]
    meta: Vec<u8>,
    #[prost(uint64, tag = "2")]
    revision: u64,
}

/// Any other item: an entry, a request or a change.
#[derive(Clone, PartialEq, Message)]
struct Item {
    #[prost(message, optional, tag = "1")]
    entry: Option<StoredEntry>,
    #[prost(message, optional, tag = "2")]
    request: Option<StoredRequest>,
    #[prost(message, optional, tag = "3")]
    change: Option<StoredChange>,
}

#[derive(Clone, PartialEq, Message)]
struct StoredChange {
    #[prost(uint64, tag = "1")]
    revision: u64,
    #[prost(string, tag = "2")]
    key: String,
    #[prost(message, optional, tag = "3")]
    previous: Option<StoredEntry>,
    #[prost(bytes = "bytes", optional, tag = "4")]
    value: Option<Bytes>,
}

#[derive(Clone, PartialEq, Message)]
struct StoredEntry {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(bytes = "bytes", tag = "2")]
    value: Bytes,
    #[prost(uint64, tag = "3")]
    create_revision: u64,
    #[prost(uint64, tag = "4")]
    mod_revision: u64,
}

#[derive(Clone, PartialEq, Message)]
struct StoredRequest {
    #[prost(bytes = "vec", tag = "1")]
    id: Vec<u8>,
    #[prost(uint64, tag = "2")]
    revision: u64,
    /// Position of the failed comparison, counted from 1; 0 if none failed.
    #[prost(uint64, tag = "3")]
    refused: u64,
}

/// A snapshot in memory.
#[derive(Debug, Default)]
pub struct Contents {
    /// Last log ID and membership that the snapshot covers.
    pub meta: SnapshotMeta,
    /// State at that log ID.
    pub state: State,
    /// Remembered requests.
    pub requests: Requests,
    /// The last changes before it, oldest first, so that watches continue after a restart.
    pub changes: Vec<Change>,
}

impl Contents {
    /// Checks that a group can go on from here, and that readers can read every object. A snapshot that this cluster did
    /// not write may hold anything.
    pub fn check(&self) -> io::Result<()> {
        let membership = self.meta.last_membership.log_id();
        self.meta.last_log_id.iter().chain(membership).try_for_each(check::log_id).map_err(invalid)?;
        if self.changes.last().is_some_and(|last| last.revision != self.state.revision()) {
            return Err(invalid("its changes end before its state"));
        }
        for change in &self.changes {
            let values = [change.previous.as_ref().map(|previous| &*previous.value), change.value.as_deref()];
            let readable = values.into_iter().try_for_each(|value| keys::check(&change.key, value));
            readable.map_err(|problem| invalid(format!("the change of {:?}: {problem}", change.key)))?;
        }
        self.state.range("").try_for_each(|(key, entry)| {
            let readable = keys::check(key, Some(&entry.value));
            readable.map_err(|problem| invalid(format!("the entry at {key:?}: {problem}")))
        })
    }
}

fn invalid(problem: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem.into())
}

/// Writes a snapshot and makes it durable.
pub fn write(disk: &dyn Disk, path: &Path, contents: &Contents) -> io::Result<()> {
    let Contents { meta, state, requests, changes } = contents;
    let file = Steady { file: disk.create(path)?, unsynced: 0 };
    let mut writer = BlockWriter::new(BufWriter::with_capacity(BUFFER_BYTES, file))?;
    let meta = serde_json::to_vec(meta).map_err(io::Error::other)?;
    writer.item(&Head { meta, revision: state.revision() }.encode_to_vec())?;
    for (key, entry) in state.range("") {
        writer.item(&Item { entry: Some(stored(key, entry)), ..Item::default() }.encode_to_vec())?;
    }
    for (id, outcome) in requests.iter() {
        let refused = match outcome {
            Outcome::Applied(_) => 0,
            Outcome::Refused(place, _) => (place as u64).saturating_add(1),
        };
        let request = StoredRequest { id: id.to_vec(), revision: outcome.revision(), refused };
        writer.item(&Item { request: Some(request), ..Item::default() }.encode_to_vec())?;
    }
    for change in changes {
        let change = StoredChange {
            revision: change.revision,
            key: change.key.to_string(),
            previous: change.previous.as_ref().map(|previous| stored("", previous)),
            value: change.value.clone(),
        };
        writer.item(&Item { change: Some(change), ..Item::default() }.encode_to_vec())?;
    }
    let mut written = writer.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
    written.file.sync()
}

fn stored(key: &str, entry: &Entry) -> StoredEntry {
    StoredEntry {
        key: key.to_owned(),
        value: entry.value.clone(),
        create_revision: entry.create_revision,
        mod_revision: entry.mod_revision,
    }
}

/// Returns an entry whose value has a buffer of its own.
fn entry_of(stored: &StoredEntry) -> Entry {
    Entry {
        value: Bytes::copy_from_slice(&stored.value),
        create_revision: stored.create_revision,
        mod_revision: stored.mod_revision,
    }
}

/// A file that is synced in small steps as it grows, with rests between them. Otherwise the log's fsyncs, which all
/// writers wait for, would wait for the snapshot's on the same disk.
struct Steady {
    file: Box<dyn Output>,
    unsynced: usize,
}

impl io::Write for Steady {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.unsynced = self.unsynced.saturating_add(count);
        if self.unsynced >= STEP_BYTES {
            let start = Instant::now();
            self.file.sync()?;
            self.unsynced = 0;
            #[expect(
                clippy::disallowed_methods,
                reason = "the pause leaves the disk to others, and this thread has nothing else to do"
            )]
            std::thread::sleep(start.elapsed().saturating_mul(REST));
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Reads a snapshot. Damage is an error that names the file.
pub fn read(disk: &dyn Disk, path: &Path) -> io::Result<Contents> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("snapshot {}: {error}", path.display()));
    read_from(BufReader::new(disk.read(path).map_err(named)?)).map_err(named)
}

/// Reads the bytes of a snapshot.
pub fn read_from(input: impl Read) -> io::Result<Contents> {
    let mut contents: Option<Contents> = None;
    read_items(input, |bytes| match &mut contents {
        None => {
            let head = Head::decode(bytes).map_err(io::Error::other)?;
            let meta = serde_json::from_slice(&head.meta).map_err(io::Error::other)?;
            if head.revision > MAX_REVISION {
                return Err(invalid(format!("its revision {} is above {MAX_REVISION}", head.revision)));
            }
            let state = State::at_revision(head.revision);
            contents = Some(Contents { meta, state, requests: Requests::default(), changes: Vec::new() });
            Ok(())
        }
        Some(contents) => restore(contents, Item::decode(bytes).map_err(io::Error::other)?),
    })?;
    contents.ok_or_else(|| invalid("it is empty"))
}

fn restore(contents: &mut Contents, item: Item) -> io::Result<()> {
    if let Some(entry) = item.entry {
        let restored = entry_of(&entry);
        let latest = contents.state.revision();
        if !(restored.create_revision..=latest).contains(&restored.mod_revision) {
            let revisions = format!("{} and {}", restored.create_revision, restored.mod_revision);
            return Err(invalid(format!("the entry at {:?} has the revisions {revisions} of {latest}", entry.key)));
        }
        contents.state.restore_entry(entry.key.into(), restored);
    }
    if let Some(request) = item.request {
        let id = RequestId::try_from(request.id.as_slice()).map_err(io::Error::other)?;
        let outcome = match usize::try_from(request.refused).map_err(io::Error::other)? {
            0 => Outcome::Applied(request.revision),
            place => Outcome::Refused(place.saturating_sub(1), request.revision),
        };
        contents.requests.remember(id, outcome);
    }
    if let Some(change) = item.change {
        let value = change.value.map(|value| Bytes::copy_from_slice(&value));
        let previous = change.previous.as_ref().map(entry_of);
        let expected = contents.changes.last().map(|last| last.revision.saturating_add(1));
        if expected.is_some_and(|expected| expected != change.revision) || change.revision > contents.state.revision() {
            return Err(invalid(format!("the change of revision {} is out of order", change.revision)));
        }
        contents.changes.push(Change { revision: change.revision, key: change.key.into(), previous, value });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::LocalDisk;
    use crate::store::{Compare, Target, Transaction, Write};

    /// Returns a state of 500 entries of 1,000 bytes, and the 1,000 requests and changes that made it.
    fn filled() -> Contents {
        let (mut state, mut requests, mut changes) = (State::default(), Requests::default(), Vec::new());
        for number in 0..1_000u32 {
            let key = format!("pods/default/p{number}");
            let mut request_id = [0; 16];
            request_id[..4].copy_from_slice(&number.to_le_bytes());
            let compares = vec![Compare { key: key.clone(), target: Target::ModRevision(u64::from(number % 2)) }];
            let writes = vec![Write { key, value: Some(vec![7; 1_000].into()) }];
            state.apply(Transaction { request_id, compares, writes }, &mut requests, &mut changes);
        }
        Contents { meta: SnapshotMeta::default(), state, requests, changes }
    }

    #[test]
    fn a_state_reads_back_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("snapshot");
        let written = filled();
        write(&LocalDisk, &path, &written).unwrap();
        let contents = read(&LocalDisk, &path).unwrap();
        assert_eq!(
            (contents.state.hash(), contents.state.revision()),
            (written.state.hash(), written.state.revision())
        );
        assert_eq!(contents.requests.iter().collect::<Vec<_>>(), written.requests.iter().collect::<Vec<_>>());
        assert_eq!(contents.changes, written.changes);
        assert_eq!(contents.state.len(), 500);
    }

    #[test]
    fn damage_about_any_boundary_of_a_whole_snapshot_is_refused_and_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("snapshot");
        write(&LocalDisk, &path, &filled()).unwrap();
        let whole = std::fs::read(&path).unwrap();
        let boundaries = boundaries(&whole);
        assert!(boundaries.len() > 3, "several blocks: {boundaries:?}");
        for boundary in boundaries {
            for place in boundary.saturating_sub(9)..(boundary + 9).min(whole.len()) {
                let mut flipped = whole.clone();
                flipped[place] ^= 0x10;
                for (damaged, what) in [(&whole[..place], "cut"), (&flipped, "flipped")] {
                    std::fs::write(&path, damaged).unwrap();
                    let error = read(&LocalDisk, &path).expect_err(&format!("{what} at {place}")).to_string();
                    assert!(error.starts_with(&format!("snapshot {}: ", path.display())), "{error}");
                }
            }
        }
    }

    /// Returns the offsets of the blocks and of the trailer.
    fn boundaries(snapshot: &[u8]) -> Vec<usize> {
        let mut boundaries = vec![8];
        loop {
            let begin = *boundaries.last().unwrap();
            match u32::from_le_bytes(snapshot[begin..begin + 4].try_into().unwrap()) {
                0 => return boundaries,
                len => boundaries.push(begin + 8 + len as usize),
            }
        }
    }
}
