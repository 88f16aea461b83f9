//! When a snapshot is due: when the log since the last one is a good part of what the next will have to write. Counted in
//! bytes, a large state is not written again and again for a small log, nor a long log kept in memory for a small state.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

/// No snapshot for less log than this.
const LEAST_BYTES: u64 = 2 << 20;
/// Else for this part of the last snapshot's size: a fourth.
const PART: u64 = 4;
/// What an entry costs beside its command, in memory and on disk.
const ENTRY_BYTES: u64 = 100;

/// Counts what one member applies.
#[derive(Debug)]
pub struct Compaction {
    /// Members wait for up to a third more than others, so that not all write at the same moment.
    stagger: u64,
    applied: AtomicU64,
    snapshot: AtomicU64,
    due: Notify,
}

impl Compaction {
    /// Of the member of this number, whose newest snapshot has this size.
    pub fn new(id: u64, snapshot_bytes: u64) -> Self {
        let (applied, due) = (AtomicU64::new(0), Notify::new());
        Self { stagger: id % STAGGERS, applied, snapshot: AtomicU64::new(snapshot_bytes), due }
    }

    /// An entry with a command of this length was applied.
    pub fn applied(&self, command: usize) {
        let bytes = ENTRY_BYTES + command as u64;
        let applied = self.applied.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if is_due(applied, self.snapshot.load(Ordering::Relaxed), self.stagger) {
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

fn is_due(applied: u64, snapshot: u64, stagger: u64) -> bool {
    let wanted = LEAST_BYTES.max(snapshot / PART);
    applied >= wanted + wanted / 6 * stagger
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_state_waits_for_a_longer_log() {
        assert!(!is_due(LEAST_BYTES - 1, 0, 0));
        assert!(is_due(LEAST_BYTES, LEAST_BYTES * PART, 0));
        assert!(!is_due(LEAST_BYTES, LEAST_BYTES * PART * 2, 0));
        assert!(is_due(LEAST_BYTES * 2, LEAST_BYTES * PART * 2, 0));
        for stagger in 1..STAGGERS {
            assert!(!is_due(LEAST_BYTES, 0, stagger));
            assert!(is_due(LEAST_BYTES * 4 / 3, 0, stagger));
        }
    }

    #[tokio::test]
    async fn counting_begins_anew() {
        let compaction = Compaction::new(3, 0);
        compaction.applied(usize::try_from(LEAST_BYTES).unwrap());
        compaction.wait().await;
        compaction.applied(1);
        assert!(tokio::time::timeout(std::time::Duration::from_millis(10), compaction.wait()).await.is_err());
    }
}
