//! Records acknowledged writes, reads and watch events, and finds contradictions between them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The maximum number of recorded contradictions.
const KEPT: usize = 50;

/// An acknowledged write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Acknowledged {
    key: usize,
    value: u64,
}

/// The events that one watch delivered without a gap.
#[derive(Debug, Clone, Default)]
pub struct Segment {
    /// The segment is complete after this revision.
    from: u64,
    /// The segment is complete up to this revision.
    to: u64,
    /// The events by revision.
    events: BTreeMap<u64, Acknowledged>,
    /// Revisions that came after a later one, or a second time.
    out_of_order: Vec<u64>,
}

impl Segment {
    /// Returns a segment for a watch that has delivered the state at this revision.
    pub fn beginning_at(revision: u64) -> Self {
        Self { from: revision, to: revision, ..Self::default() }
    }

    /// Records an event.
    pub fn event(&mut self, revision: u64, key: usize, value: u64) {
        if revision <= self.to {
            self.out_of_order.push(revision);
        }
        self.events.insert(revision, Acknowledged { key, value });
        self.reached(revision);
    }

    /// The last revision that the watch has reached.
    pub fn end(&self) -> u64 {
        self.to
    }

    /// Records that there was no other event up to this revision.
    pub fn reached(&mut self, revision: u64) {
        self.to = self.to.max(revision);
    }
}

/// The records of one soak test.
pub struct Ledger {
    /// The acknowledged writes by revision.
    writes: BTreeMap<u64, Acknowledged>,
    /// The highest revision of each key that any client has seen.
    floors: Vec<u64>,
    segments: Vec<Segment>,
    start: Instant,
    last_acknowledged: Instant,
    /// The contradictions found.
    pub violations: Vec<String>,
    /// The number of acknowledged writes. Others may look at it while it grows.
    pub acknowledged: Arc<AtomicU64>,
    /// The number of writes without an answer.
    pub unknown: u64,
    /// The number of reads.
    pub reads: u64,
    /// The longest time without an acknowledged write.
    pub longest_silence: Duration,
}

impl Ledger {
    /// Creates the records for this many keys.
    pub fn new(keys: usize) -> Self {
        Self {
            writes: BTreeMap::new(),
            floors: vec![0; keys],
            segments: Vec::new(),
            start: Instant::now(),
            last_acknowledged: Instant::now(),
            violations: Vec::new(),
            acknowledged: Arc::default(),
            unknown: 0,
            reads: 0,
            longest_silence: Duration::ZERO,
        }
    }

    /// Returns the start time of the soak test.
    pub fn start(&self) -> Instant {
        self.start
    }

    /// Returns the number of keys.
    pub fn keys(&self) -> usize {
        self.floors.len()
    }

    /// Records a contradiction.
    pub fn violation(&mut self, text: String) {
        if self.violations.len() < KEPT {
            self.violations.push(text);
        }
    }

    /// Returns the number of acknowledged writes.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// Records a write that was acknowledged, or read back, at a revision.
    pub fn wrote(&mut self, key: usize, revision: u64, value: u64) {
        self.acknowledged.fetch_add(1, Ordering::Relaxed);
        self.longest_silence = self.longest_silence.max(self.last_acknowledged.elapsed());
        self.last_acknowledged = Instant::now();
        let write = Acknowledged { key, value };
        if let Some(other) = self.writes.insert(revision, write).filter(|other| *other != write) {
            self.violation(format!("revision {revision} was acknowledged for {other:?} and for {write:?}"));
        }
        self.shown(key, revision);
    }

    /// Returns the lowest revision that a read of this key may show if it begins now.
    pub fn floor(&self, key: usize) -> u64 {
        self.floors[key]
    }

    /// Records a read that began at this floor; `whom` names the member that answered.
    pub fn read(&mut self, key: usize, floor: u64, revision: u64, whom: &str) {
        self.reads += 1;
        if revision < floor {
            self.violation(format!(
                "a read of key {key} showed revision {revision} after {floor} had been shown ({whom}, {:.3} s after the start)",
                self.start.elapsed().as_secs_f64()
            ));
        }
        self.shown(key, revision);
    }

    fn shown(&mut self, key: usize, revision: u64) {
        self.floors[key] = self.floors[key].max(revision);
    }

    /// Records a segment of a watch.
    pub fn watched_segment(&mut self, segment: Segment) {
        self.segments.push(segment);
    }

    /// Returns the number of events that watches delivered.
    pub fn watched(&self) -> u64 {
        self.segments.iter().map(|segment| segment.events.len() as u64).sum()
    }

    /// Checks that every watch has delivered every acknowledged write of its time, with its value.
    pub fn check_watches(&mut self) {
        let mut found = Vec::new();
        let out_of_order = self.segments.iter().flat_map(|segment| &segment.out_of_order);
        found.extend(
            out_of_order.map(|revision| format!("a watch delivered revision {revision} out of order or twice")),
        );
        for segment in self.segments.iter().filter(|segment| segment.from < segment.to) {
            for (revision, write) in self.writes.range(segment.from + 1..=segment.to) {
                match segment.events.get(revision) {
                    None => found
                        .push(format!("a watch from {} to {} missed revision {revision}", segment.from, segment.to)),
                    Some(event) if event != write => {
                        found.push(format!(
                            "at revision {revision} a watch delivered {event:?}, but {write:?} was acknowledged"
                        ));
                    }
                    Some(_) => {}
                }
            }
        }
        found.into_iter().for_each(|text| self.violation(text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_may_not_go_back() {
        let mut ledger = Ledger::new(2);
        ledger.wrote(0, 5, 1);
        let floor = ledger.floor(0);
        ledger.wrote(0, 6, 2);
        ledger.read(0, floor, 5, "");
        assert_eq!(ledger.violations, [""; 0], "the read may have happened before the second write");
        ledger.read(0, ledger.floor(0), 5, "");
        assert_eq!(ledger.violations.len(), 1);
        ledger.read(1, ledger.floor(1), 1, "");
        assert_eq!(ledger.violations.len(), 1, "keys are apart");
    }

    #[test]
    fn watches_must_tell_of_every_write_in_their_time() {
        let told = |events: &[(u64, u64)]| {
            let mut ledger = Ledger::new(1);
            for (revision, value) in [(5, 1), (6, 2), (9, 3)] {
                ledger.wrote(0, revision, value);
            }
            let mut segment = Segment::beginning_at(5);
            events.iter().for_each(|(revision, value)| segment.event(*revision, 0, *value));
            ledger.watched_segment(segment);
            ledger.check_watches();
            ledger.violations
        };
        assert_eq!(told(&[(6, 2), (9, 3)]), [""; 0]);
        assert_eq!(told(&[(6, 2)]), [""; 0], "it ended before the last");
        assert_eq!(told(&[(9, 3)]), ["a watch from 5 to 9 missed revision 6"]);
        assert_eq!(told(&[(6, 7)]).len(), 1, "another value");
    }

    #[test]
    fn a_revision_belongs_to_one_write() {
        let mut ledger = Ledger::new(2);
        ledger.wrote(0, 5, 1);
        ledger.wrote(0, 5, 1);
        assert_eq!(ledger.violations, [""; 0]);
        ledger.wrote(1, 5, 1);
        assert_eq!(ledger.violations.len(), 1);
    }

    #[test]
    fn a_watch_tells_of_each_change_once_and_in_order() {
        for (revisions, wrong) in [(vec![6, 7, 9], 0), (vec![6, 6], 1), (vec![7, 6], 1), (vec![5], 1)] {
            let (mut ledger, mut segment) = (Ledger::new(1), Segment::beginning_at(5));
            revisions.iter().for_each(|revision| segment.event(*revision, 0, *revision));
            ledger.watched_segment(segment);
            ledger.check_watches();
            assert_eq!(ledger.violations.len(), wrong, "{revisions:?}");
        }
    }
}
