//! The active faults of this process. The board does not interpret them: each breakable component looks up its own.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::service::Target;
use crate::{Fault, InForce, Receipt, What};

/// An active fault, and how often it took effect.
struct Entry {
    fault: Fault,
    count: Arc<AtomicU64>,
}

/// The active faults, by name.
pub struct Board {
    entries: Mutex<BTreeMap<String, Entry>>,
    /// The number of entries, so that a lookup in an empty board takes no lock.
    in_force: AtomicUsize,
    /// Incremented with each change of the entries.
    news: watch::Sender<u64>,
}

/// The faults that apply to the current operation. The caller that applies them also counts them.
#[derive(Debug, Clone)]
pub struct Bite<T> {
    /// The combined value of all these faults.
    pub what: T,
    counts: Vec<Arc<AtomicU64>>,
}

impl<T> Bite<T> {
    /// Records that each of the faults took effect.
    pub fn count(&self) {
        for count in &self.counts {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Returns the board of this process.
#[must_use]
pub fn process() -> Arc<Board> {
    static BOARD: LazyLock<Arc<Board>> = LazyLock::new(|| {
        let (entries, in_force, news) = (Mutex::default(), AtomicUsize::new(0), watch::Sender::new(0));
        Arc::new(Board { entries, in_force, news })
    });
    BOARD.clone()
}

impl Board {
    fn entries(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Finds the matching faults and combines their values, for example to the maximum or the sum. `None` if there are
    /// none.
    pub fn find<T>(&self, wanted: impl Fn(&What) -> Option<T>, combine: impl Fn(T, T) -> T) -> Option<Bite<T>> {
        if self.in_force.load(Ordering::Acquire) == 0 {
            return None;
        }
        let mut found: Option<Bite<T>> = None;
        for entry in self.entries().values() {
            let Some(what) = entry.fault.what.as_ref().and_then(&wanted) else { continue };
            found = Some(match found {
                None => Bite { what, counts: vec![entry.count.clone()] },
                Some(Bite { what: other, mut counts }) => {
                    counts.push(entry.count.clone());
                    Bite { what: combine(other, what), counts }
                }
            });
        }
        found
    }

    /// Finds the matching faults and returns the largest value. Counting it counts all of them.
    pub fn worst<T: Ord>(&self, wanted: impl Fn(&What) -> Option<T>) -> Option<Bite<T>> {
        self.find(wanted, Ord::max)
    }

    /// Returns a counter that is incremented with each change of the active faults.
    #[must_use]
    pub fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    fn changed(&self, entries: &BTreeMap<String, Entry>) {
        self.in_force.store(entries.len(), Ordering::Release);
        self.news.send_modify(|count| *count = count.wrapping_add(1));
    }
}

fn receipt(entry: &Entry) -> Receipt {
    let count = entry.count.load(Ordering::Relaxed);
    Receipt { count, text: format!("took effect {count} times") }
}

impl Target for Board {
    fn inject(&self, fault: Fault) -> Result<(), String> {
        if matches!(fault.what, None | Some(What::Link(_))) {
            return Err("link faults must be injected into the link-proxy".to_owned());
        }
        let mut entries = self.entries();
        entries.insert(fault.name.clone(), Entry { count: Arc::default(), fault });
        self.changed(&entries);
        Ok(())
    }

    fn heal(&self, name: &str) -> Option<Receipt> {
        let mut entries = self.entries();
        let entry = entries.remove(name)?;
        self.changed(&entries);
        Some(receipt(&entry))
    }

    fn list(&self) -> Vec<InForce> {
        let entries = self.entries();
        let in_force = |entry: &Entry| InForce { fault: Some(entry.fault.clone()), receipt: Some(receipt(entry)) };
        entries.values().map(in_force).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::watches::delay;
    use crate::{ClockFault, DiskFault, LinkFault, WatchFault, clock};

    fn fault(name: &str, what: What) -> Fault {
        Fault { name: name.to_owned(), what: Some(what) }
    }

    fn slow_disk(board: &Board) -> Option<Bite<u64>> {
        board.worst(|what| match what {
            What::Disk(disk) => Some(disk.sync_delay_ms),
            _ => None,
        })
    }

    #[test]
    fn faults_in_force_are_found_and_counted() {
        let board = process();
        assert!(slow_disk(&board).is_none());
        for (name, sync_delay_ms) in [("slow", 7), ("slower", 9)] {
            board.inject(fault(name, What::Disk(DiskFault { sync_delay_ms, full: false }))).unwrap();
        }
        let bite = slow_disk(&board).unwrap();
        assert_eq!(bite.what, 9);
        bite.count();
        let held = WatchFault { kind: "Pod".to_owned(), ..WatchFault::default() };
        board.inject(fault("held", What::Watch(held))).unwrap();
        assert_eq!(delay(&board, "Pod", "default/a").unwrap().what, Duration::MAX);
        assert!(delay(&board, "Node", "a").is_none());
        board.inject(fault("late", What::Clock(ClockFault { skew_ms: 3_600_000 }))).unwrap();
        assert!(clock::now() > jiff::Timestamp::now());
        assert!(board.inject(fault("cut", What::Link(LinkFault::default()))).is_err());
        assert_eq!(board.list().len(), 4);
        for (name, count) in [("slow", 1), ("slower", 1), ("late", 1), ("held", 0)] {
            assert_eq!(board.heal(name).unwrap().count, count, "{name}");
        }
        assert!(board.heal("held").is_none() && clock::now() <= jiff::Timestamp::now());
    }
}
