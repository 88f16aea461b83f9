//! The log as readers see it: every entry that is not purged. The latest payloads are in memory, up to a number of
//! bytes; older ones are read from the segments again.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::record::Record;
use crate::host::Disk;
use crate::raft::types::{Entry, LogId, Payload, Vote};

/// Where an entry's record is on disk, and its checksum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Segment that holds it.
    pub segment: Arc<Path>,
    /// Offset of the record in the segment, in bytes.
    pub offset: u64,
    /// Length of the record in bytes.
    pub len: usize,
    /// CRC-32 of the record.
    pub checksum: u32,
}

impl Place {
    /// Returns the place of a record that starts at `start` of a frame's body, which starts at `body` of the segment.
    pub fn new(segment: Arc<Path>, body: u64, record: &[u8], start: usize) -> Self {
        Self {
            segment,
            offset: body.saturating_add(start as u64),
            len: record.len(),
            checksum: crc32fast::hash(record),
        }
    }

    /// Reads the entry again. A record that has changed is an error that names the segment and the offset.
    pub fn read(&self, disk: &dyn Disk) -> io::Result<Entry> {
        let bytes = Bytes::from(disk.read_at(&self.segment, self.offset, self.len)?);
        if crc32fast::hash(&bytes) == self.checksum
            && let Some((Record::Append(entry), _)) = Record::read_all(bytes)?.pop()
        {
            return Ok(entry);
        }
        let message = format!("{} is damaged at offset {}: an entry has changed", self.segment.display(), self.offset);
        Err(io::Error::new(io::ErrorKind::InvalidData, message))
    }
}

/// An entry of the log. It has a payload or a place, and both while it is in memory and on disk.
#[derive(Debug)]
struct Slot {
    id: LogId,
    /// Length of the payload in bytes.
    bytes: usize,
    payload: Option<Payload>,
    place: Option<Place>,
}

/// An entry that was found.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// It is in memory.
    Here(Entry),
    /// Its payload is only on disk.
    OnDisk(LogId, Place),
}

/// The log's entries and its vote.
#[derive(Debug)]
pub struct Window {
    /// The last vote.
    pub vote: Option<Vote>,
    /// The last purged entry.
    pub purged: Option<LogId>,
    /// The entries after it, without gaps.
    slots: VecDeque<Slot>,
    /// Number of slots at the front without a payload.
    released: usize,
    /// Total length of the payloads in memory.
    held_bytes: usize,
    /// Payloads on disk beyond this length are released, oldest first.
    max_bytes: usize,
}

impl Window {
    /// Creates an empty window that holds `max_bytes` of payloads, and those that are not on disk yet.
    pub fn new(max_bytes: usize) -> Self {
        Self { vote: None, purged: None, slots: VecDeque::new(), released: 0, held_bytes: 0, max_bytes }
    }

    /// Returns the index of the first entry, or of the next one if there is none.
    pub fn first_index(&self) -> u64 {
        self.slots.front().map_or_else(|| self.purged.map_or(0, |id| id.index.saturating_add(1)), |slot| slot.id.index)
    }

    /// Returns the ID of the last entry, purged or not.
    pub fn last_log_id(&self) -> Option<LogId> {
        self.slots.back().map(|slot| slot.id).or(self.purged)
    }

    /// Applies a record. Refuses an entry that leaves a gap.
    pub fn apply(&mut self, record: Record) -> io::Result<()> {
        match record {
            Record::Append(entry) => self.append(entry)?,
            Record::Vote(vote) => self.vote = Some(vote),
            Record::Truncate(after) => {
                let keep = after.map_or(0, |id| id.index.saturating_add(1));
                while self.slots.back().is_some_and(|slot| slot.id.index >= keep) {
                    let slot = self.slots.pop_back();
                    self.forget(slot);
                }
                self.released = self.released.min(self.slots.len());
            }
            Record::Purge(upto) => {
                while self.slots.front().is_some_and(|slot| slot.id.index <= upto.index) {
                    let slot = self.slots.pop_front();
                    self.forget(slot);
                    self.released = self.released.saturating_sub(1);
                }
                self.purged = self.purged.max(Some(upto));
            }
        }
        Ok(())
    }

    fn append(&mut self, entry: Entry) -> io::Result<()> {
        let next = self.last_log_id().map_or(0, |id| id.index.saturating_add(1));
        // After an installed snapshot, the log starts at any index.
        if entry.log_id.index != next && !self.slots.is_empty() {
            let message = format!("entry {} follows entry {}", entry.log_id.index, next.wrapping_sub(1));
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        let bytes = payload_bytes(&entry.payload);
        self.held_bytes = self.held_bytes.saturating_add(bytes);
        self.slots.push_back(Slot { id: entry.log_id, bytes, payload: Some(entry.payload), place: None });
        Ok(())
    }

    fn forget(&mut self, slot: Option<Slot>) {
        if let Some(slot) = slot.filter(|slot| slot.payload.is_some()) {
            self.held_bytes = self.held_bytes.saturating_sub(slot.bytes);
        }
    }

    /// Records that an entry is on disk. Its index may hold another entry by now.
    pub fn written(&mut self, id: LogId, place: Place) {
        let position = self.position(id.index);
        if let Some(slot) = self.slots.get_mut(position).filter(|slot| slot.id == id) {
            slot.place = Some(place);
        }
        self.release();
    }

    fn release(&mut self) {
        while self.held_bytes > self.max_bytes
            && let Some(slot) = self.slots.get_mut(self.released).filter(|slot| slot.place.is_some())
        {
            slot.payload = None;
            self.held_bytes = self.held_bytes.saturating_sub(slot.bytes);
            self.released = self.released.saturating_add(1);
        }
    }

    fn position(&self, index: u64) -> usize {
        usize::try_from(index.saturating_sub(self.first_index())).unwrap_or(usize::MAX)
    }

    /// Finds the entries of a range of indexes. Stops when they reach `max_bytes`, but finds at least one if the range
    /// has one.
    pub fn find(&self, range: Range<u64>, max_bytes: usize) -> Vec<Found> {
        let clamped = |index| self.position(index).min(self.slots.len());
        let (start, end) = (clamped(range.start), clamped(range.end));
        let mut bytes = 0usize;
        let within = self.slots.range(start..end.max(start)).take_while(|slot| {
            let first = bytes == 0;
            bytes = bytes.saturating_add(slot.bytes);
            first || bytes <= max_bytes
        });
        within.filter_map(Slot::found).collect()
    }

    /// Returns the last entry to purge so that the entries up to `snapshot` are at most `kept_bytes` long; `None` if they
    /// are already.
    pub fn purgeable(&self, snapshot: u64, kept_bytes: usize) -> Option<u64> {
        let covered = self.slots.iter().take_while(|slot| slot.id.index <= snapshot);
        let mut bytes: usize = covered.clone().map(|slot| slot.bytes).sum();
        let mut last = None;
        for slot in covered {
            if bytes <= kept_bytes {
                break;
            }
            bytes = bytes.saturating_sub(slot.bytes);
            last = Some(slot.id.index);
        }
        last
    }
}

impl Slot {
    fn found(&self) -> Option<Found> {
        match (&self.payload, &self.place) {
            (Some(payload), _) => Some(Found::Here(Entry { log_id: self.id, payload: payload.clone() })),
            (None, Some(place)) => Some(Found::OnDisk(self.id, place.clone())),
            (None, None) => None,
        }
    }
}

/// Length of a payload in memory. Only commands can be long.
fn payload_bytes(payload: &Payload) -> usize {
    match payload {
        Payload::Normal(command) => command.0.len(),
        Payload::Blank | Payload::Membership(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raft::types::{Command, LeaderId};

    fn id(index: u64) -> LogId {
        LogId { leader_id: LeaderId { term: 1, node_id: 1 }, index }
    }

    fn entry(index: u64) -> Entry {
        Entry { log_id: id(index), payload: Payload::Normal(Command(Bytes::from(vec![7; 10]))) }
    }

    fn place(offset: u64) -> Place {
        Place { segment: Path::new("segment").into(), offset, len: 10, checksum: 0 }
    }

    /// A window of the entries 0 to 9 of 10 bytes each, of which 25 bytes may stay in memory.
    fn filled() -> Window {
        let mut window = Window::new(25);
        (0..10).for_each(|index| window.append(entry(index)).unwrap());
        window
    }

    fn on_disk(window: &Window) -> Vec<u64> {
        let found = window.find(0..u64::MAX, usize::MAX);
        found.iter().filter(|found| matches!(found, Found::OnDisk(..))).map(|found| found.id().index).collect()
    }

    impl Found {
        fn id(&self) -> LogId {
            match self {
                Self::Here(entry) => entry.log_id,
                Self::OnDisk(id, _) => *id,
            }
        }
    }

    #[test]
    fn a_payload_leaves_memory_only_once_it_is_on_disk() {
        let mut window = filled();
        assert_eq!((on_disk(&window), window.held_bytes), (vec![], 100), "nothing is on disk");
        // Out of order: the oldest one is still waiting.
        window.written(id(1), place(1));
        assert_eq!(on_disk(&window), [] as [u64; 0]);
        (0..10).for_each(|index| window.written(id(index), place(index)));
        assert_eq!((on_disk(&window), window.held_bytes), ((0..8).collect(), 20));
        assert_eq!(window.find(3..5, 99), [Found::OnDisk(id(3), place(3)), Found::OnDisk(id(4), place(4))]);
        assert_eq!(window.find(8..9, 99), [Found::Here(entry(8))]);
    }

    #[test]
    fn an_entry_that_was_replaced_is_not_the_one_that_was_written() {
        let mut window = filled();
        window.apply(Record::Truncate(Some(id(4)))).unwrap();
        let other = LogId { leader_id: LeaderId { term: 2, node_id: 2 }, index: 5 };
        window.append(Entry { log_id: other, ..entry(5) }).unwrap();
        window.written(id(5), place(5));
        assert!(window.slots[5].place.is_none());
        window.written(other, place(6));
        assert_eq!(window.slots[5].place, Some(place(6)));
    }

    #[test]
    fn bytes_are_counted_through_every_change() {
        for keep in 0..10 {
            for upto in 0..10 {
                let mut window = filled();
                (0..10).for_each(|index| window.written(id(index), place(index)));
                window.apply(Record::Truncate(Some(id(keep)))).unwrap();
                window.apply(Record::Purge(id(upto))).unwrap();
                window.append(entry(window.last_log_id().unwrap().index + 1)).unwrap();
                let held = window.slots.iter().filter(|slot| slot.payload.is_some());
                assert_eq!(window.held_bytes, held.map(|slot| slot.bytes).sum::<usize>(), "{keep} {upto}");
                assert_eq!(window.released, window.slots.iter().filter(|slot| slot.payload.is_none()).count());
            }
        }
    }

    #[test]
    fn a_range_ends_at_its_bytes_but_never_without_an_entry() {
        let window = filled();
        let found = |range, bytes| window.find(range, bytes).iter().map(|found| found.id().index).collect::<Vec<_>>();
        assert_eq!(found(2..9, 35), [2, 3, 4]);
        assert_eq!(found(2..9, 1), [2]);
        assert_eq!(found(8..99, 1_000), [8, 9]);
        assert_eq!(found(20..30, 1_000), [] as [u64; 0]);
    }

    #[test]
    fn bytes_decide_how_much_stays_behind_a_snapshot() {
        let mut window = filled();
        assert_eq!(window.purgeable(7, 35), Some(4), "5, 6 and 7 stay");
        assert_eq!(window.purgeable(7, 80), None);
        assert_eq!(window.purgeable(7, 0), Some(7));
        window.apply(Record::Purge(id(4))).unwrap();
        assert_eq!(window.purgeable(7, 35), None);
    }
}
