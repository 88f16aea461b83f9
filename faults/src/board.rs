//! What is in force in this process: its disk, its clock, what its watches are told.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::clock;
use crate::service::Target;
use crate::{Fault, InForce, Receipt, WatchFault, What};

/// A fault, and what it has done.
struct Entry {
    fault: Fault,
    /// How often it bit.
    count: Arc<AtomicU64>,
    /// Of the clock: what was counted when it began.
    before: u64,
}

/// All of them.
pub struct Board {
    entries: Mutex<BTreeMap<String, Entry>>,
    /// Changes with what is in force.
    news: watch::Sender<u64>,
}

/// A fault that concerns what is done now. Whoever heeds it counts it.
#[derive(Debug, Clone)]
pub struct Bite<T> {
    /// What is to be done.
    pub what: T,
    counts: Vec<Arc<AtomicU64>>,
}

impl<T> Bite<T> {
    /// It bit.
    pub fn count(&self) {
        for count in &self.counts {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The board of this process.
#[must_use]
pub fn process() -> Arc<Board> {
    static BOARD: LazyLock<Arc<Board>> =
        LazyLock::new(|| Arc::new(Board { entries: Mutex::default(), news: watch::Sender::new(0) }));
    BOARD.clone()
}

impl Board {
    fn entries(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The worst of the faults that are wanted; all of them bite.
    fn worst<T: Ord>(&self, wanted: impl Fn(&What) -> Option<T>) -> Option<Bite<T>> {
        let mut worst: Option<Bite<T>> = None;
        for entry in self.entries().values() {
            let Some(what) = entry.fault.what.as_ref().and_then(&wanted) else { continue };
            match &mut worst {
                None => worst = Some(Bite { what, counts: vec![entry.count.clone()] }),
                Some(bite) => {
                    bite.counts.push(entry.count.clone());
                    if what > bite.what {
                        bite.what = what;
                    }
                }
            }
        }
        worst
    }

    /// How much longer an fsync takes, if it does.
    #[must_use]
    pub fn sync_delay(&self) -> Option<Bite<Duration>> {
        self.worst(|what| match what {
            What::Disk(disk) if disk.sync_delay_ms > 0 => Some(Duration::from_millis(disk.sync_delay_ms)),
            _ => None,
        })
    }

    /// Whether the disk takes no more.
    #[must_use]
    pub fn disk_is_full(&self) -> Option<Bite<()>> {
        self.worst(|what| matches!(what, What::Disk(disk) if disk.full).then_some(()))
    }

    /// Whether a watch is not to be told of this object yet (`Pod`, `default/kubia`), and for how long not: the longest time
    /// there is stands for as long as the fault is in force.
    #[must_use]
    pub fn watch_delay(&self, kind: &str, object: &str) -> Option<Bite<Duration>> {
        self.worst(|what| match what {
            What::Watch(fault) if concerns(fault, kind, object) => Some(match fault.delay_ms {
                0 => Duration::MAX,
                delay => Duration::from_millis(delay),
            }),
            _ => None,
        })
    }

    /// Counts up with each change of what is in force.
    #[must_use]
    pub fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    fn changed(&self) {
        let entries = self.entries();
        let skews = entries.values().filter_map(|entry| match entry.fault.what {
            Some(What::Clock(fault)) => Some(fault.skew_ms),
            _ => None,
        });
        clock::set_skew(skews.sum());
        drop(entries);
        self.news.send_modify(|count| *count += 1);
    }
}

/// Waits until a watch of this process may be told of an object: at once, unless it is held back.
pub fn told_of(kind: &'static str, namespace: &str, name: &str) -> impl Future<Output = ()> + Send + 'static {
    let object = if namespace.is_empty() { name.to_owned() } else { format!("{namespace}/{name}") };
    async move {
        let (board, start, mut counted) = (process(), Instant::now(), false);
        let mut news = board.news();
        loop {
            news.borrow_and_update();
            // The fault may be healed meanwhile, or be another.
            let Some(bite) = board.watch_delay(kind, &object) else { return };
            if !std::mem::replace(&mut counted, true) {
                bite.count();
            }
            let left = bite.what.saturating_sub(start.elapsed());
            if left.is_zero() {
                return;
            }
            // The board is never gone.
            drop(tokio::time::timeout(left, news.changed()).await);
        }
    }
}

fn concerns(fault: &WatchFault, kind: &str, object: &str) -> bool {
    let is = |wanted: &str, it: &str| wanted.is_empty() || wanted == it;
    is(&fault.kind, kind) && is(&fault.object, object)
}

fn receipt(entry: &Entry) -> Receipt {
    let counted = entry.count.load(Ordering::Relaxed);
    let (count, text) = match &entry.fault.what {
        Some(What::Disk(disk)) if disk.full => (counted, "writes refused"),
        Some(What::Disk(_)) => (counted, "fsyncs held up"),
        Some(What::Clock(_)) => (clock::wrong_times() - entry.before, "times given wrong"),
        Some(What::Watch(_)) => (counted, "changes held back"),
        Some(What::Link(_)) | None => (0, "nothing"),
    };
    Receipt { count, text: format!("{count} {text}") }
}

impl Target for Board {
    fn inject(&self, fault: Fault) -> Result<(), String> {
        if !matches!(fault.what, Some(What::Disk(_) | What::Clock(_) | What::Watch(_))) {
            return Err("only the disk, the clock and the watches of a process can be broken here".to_owned());
        }
        let entry = Entry { count: Arc::default(), before: clock::wrong_times(), fault };
        self.entries().insert(entry.fault.name.clone(), entry);
        self.changed();
        Ok(())
    }

    fn heal(&self, name: &str) -> Option<Receipt> {
        let entry = self.entries().remove(name)?;
        self.changed();
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
    use super::*;
    use crate::{ClockFault, DiskFault};

    fn fault(name: &str, what: What) -> Fault {
        Fault { name: name.to_owned(), what: Some(what) }
    }

    #[test]
    fn what_is_in_force_is_found_and_counted() {
        let board = process();
        let slow = DiskFault { sync_delay_ms: 7, full: false };
        board.inject(fault("slow", What::Disk(slow))).unwrap();
        let bite = board.sync_delay().unwrap();
        assert_eq!(bite.what, Duration::from_millis(7));
        bite.count();
        assert!(board.disk_is_full().is_none());
        let held = WatchFault { kind: "Pod".to_owned(), ..WatchFault::default() };
        board.inject(fault("held", What::Watch(held))).unwrap();
        assert!(board.watch_delay("Pod", "default/a").unwrap().what == Duration::MAX);
        assert!(board.watch_delay("Node", "a").is_none());
        board.inject(fault("late", What::Clock(ClockFault { skew_ms: 3_600_000 }))).unwrap();
        assert!(clock::now() > jiff::Timestamp::now());
        assert_eq!(board.list().len(), 3);
        assert_eq!(board.heal("slow").unwrap().count, 1);
        assert_eq!(board.heal("late").unwrap().count, 1);
        assert_eq!(board.heal("held").unwrap().count, 0, "nobody heeded it");
        assert!(board.heal("held").is_none() && clock::now() <= jiff::Timestamp::now());
    }
}
