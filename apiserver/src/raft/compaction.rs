//! When a snapshot is due: when the log since the last one is a good part of what the next will have to write. Counted in
//! bytes, a large state is not written again and again for a small log, nor a long log kept in memory for a small state.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

/// Above the least, for this part of the last snapshot's size: a fourth.
const PART: u64 = 4;
/// What an entry costs beside its command, in memory and on disk.
const ENTRY_BYTES: u64 = 100;

/// Counts what one member applies.
#[derive(Debug)]
pub struct Compaction {
    /// No snapshot for less log than this.
    least: u64,
    /// Members wait for up to a third more than others, so that not all write at the same moment.
    stagger: u64,
    applied: AtomicU64,
    snapshot: AtomicU64,
    due: Notify,
}

impl Compaction {
    /// Of the member of this number, whose newest snapshot has this size. No snapshot for less log than `least` bytes.
    pub fn new(id: u64, snapshot_bytes: u64, least: u64) -> Self {
        let (applied, due) = (AtomicU64::new(0), Notify::new());
        Self { least, stagger: id % STAGGERS, applied, snapshot: AtomicU64::new(snapshot_bytes), due }
    }

    /// An entry with a command of this length was applied.
    pub fn applied(&self, command: usize) {
        let bytes = ENTRY_BYTES + command as u64;
        let applied = self.applied.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if applied >= due_at(self.least, self.snapshot.load(Ordering::Relaxed), self.stagger) {
            self.due.notify_one();
        }
    }

    /// A snapshot of this size is on disk.
    pub fn written(&self, bytes: u64) {
        self.snapshot.store(bytes, Ordering::Relaxed);
    }

    /// Waits until a snapshot is due, and begins to count anew.
    pub async fn wait(&self) {
        self.due.notified().await;
        self.applied.store(0, Ordering::Relaxed);
    }
}

/// How many different waits there are.
const STAGGERS: u64 = 3;

fn due_at(least: u64, snapshot: u64, stagger: u64) -> u64 {
    let wanted = least.max(snapshot / PART);
    wanted + wanted / 6 * stagger
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_state_waits_for_a_longer_log() {
        assert_eq!(due_at(600, 0, 0), 600);
        assert_eq!(due_at(600, 600 * PART, 0), 600);
        assert_eq!(due_at(600, 1_200 * PART, 0), 1_200);
        assert_eq!([1, 2].map(|stagger| due_at(600, 0, stagger)), [700, 800]);
    }

    #[tokio::test]
    async fn counting_begins_anew() {
        let compaction = Compaction::new(3, 0, 1_000);
        compaction.applied(1_000);
        compaction.wait().await;
        compaction.applied(1);
        assert!(tokio::time::timeout(std::time::Duration::from_millis(10), compaction.wait()).await.is_err());
    }
}
