//! Decides when a snapshot is due: when the log since the last one is a good part of what the next one has to write.
//! Counting bytes avoids rewriting a large state for a small log, and keeping a long log in memory for a small state.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

/// Beyond the minimum, a snapshot is due when the log reaches this fraction (1/4) of the last snapshot's size.
const PART: u64 = 4;
/// Overhead of an entry beyond its command, in memory and on disk.
const ENTRY_BYTES: u64 = 100;

/// Tracks how much log a member has applied since its last snapshot.
#[derive(Debug)]
pub struct Compaction {
    /// Minimum log size for a snapshot, in bytes.
    least: u64,
    /// Makes some members wait up to a third longer than others, so that they do not all write at the same time.
    stagger: u64,
    applied: AtomicU64,
    snapshot: AtomicU64,
    due: Notify,
}

impl Compaction {
    /// Starts the count of member `id`, whose newest snapshot has this size. Below `least` bytes of log, none is due.
    pub fn new(id: u64, snapshot_bytes: u64, least: u64) -> Self {
        let (applied, due) = (AtomicU64::new(0), Notify::new());
        Self { least, stagger: id % STAGGERS, applied, snapshot: AtomicU64::new(snapshot_bytes), due }
    }

    /// Counts an applied entry whose command has this length.
    pub fn applied(&self, command: usize) {
        let bytes = ENTRY_BYTES.saturating_add(command as u64);
        let applied = self.applied.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        if applied >= due_at(self.least, self.snapshot.load(Ordering::Relaxed), self.stagger) {
            self.due.notify_one();
        }
    }

    /// Records the size of a snapshot that is now on disk.
    pub fn written(&self, bytes: u64) {
        self.snapshot.store(bytes, Ordering::Relaxed);
    }

    /// Waits until a snapshot is due, then restarts the count.
    pub async fn wait(&self) {
        self.due.notified().await;
        self.applied.store(0, Ordering::Relaxed);
    }
}

/// Number of different waits.
const STAGGERS: u64 = 3;

fn due_at(least: u64, snapshot: u64, stagger: u64) -> u64 {
    let wanted = least.max(snapshot / PART);
    wanted.saturating_add((wanted / 6).saturating_mul(stagger))
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
