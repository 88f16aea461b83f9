//! Carries bytes: held back, delayed, throttled or unchanged.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use squall_api::timing::later;
use squall_faults::Passage;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::condition::Condition;

/// Maximum number of bytes that are read before they are passed on.
const BUFFER_BYTES: usize = 64 << 10;
/// Maximum number of pieces in transit; beyond that, the sender has to wait.
const UNDER_WAY: usize = 64;

/// One direction of a link, with counters of what its faults have done.
pub struct Lane {
    condition: watch::Sender<Condition>,
    /// Bytes that had to wait until the direction was open again.
    pub held: AtomicU64,
    /// Bytes that were delayed or throttled.
    pub delayed: AtomicU64,
    /// New connections that had to wait.
    pub waiting: AtomicU64,
    /// Connections that were broken off or refused.
    pub broken: AtomicU64,
}

impl Lane {
    pub fn new() -> Self {
        Self {
            condition: watch::Sender::new(Condition::WHOLE),
            held: AtomicU64::new(0),
            delayed: AtomicU64::new(0),
            waiting: AtomicU64::new(0),
            broken: AtomicU64::new(0),
        }
    }

    /// Sets the condition from now on.
    pub fn set(&self, condition: Condition) {
        self.condition.send_if_modified(|now| std::mem::replace(now, condition) != condition);
    }

    fn now(&self) -> Condition {
        *self.condition.borrow()
    }

    async fn until(&self, passage: impl Fn(Passage) -> bool) {
        // The sender lives as long as this does.
        let _ = self.condition.subscribe().wait_for(|condition| passage(condition.passage)).await;
    }

    /// Waits until connections have to be broken off, and counts this one.
    pub async fn broken_off(&self) {
        self.until(|passage| passage == Passage::Reset).await;
        self.broken.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits until the direction is open. If it was not, adds `count` to `waits`.
    pub async fn open(&self, waits: &AtomicU64, count: u64) {
        if self.now().passage != Passage::Open {
            waits.fetch_add(count, Ordering::Relaxed);
            self.until(|passage| passage == Passage::Open).await;
        }
    }

    /// Carries all bytes from `read` to `write`, until the end.
    pub async fn pass(&self, read: impl AsyncRead + Unpin, write: impl AsyncWrite + Unpin) -> io::Result<()> {
        let (sender, receiver) = mpsc::channel(UNDER_WAY);
        let (taken, given) = tokio::join!(self.take_in(read, sender), self.give_out(write, receiver));
        taken.and(given)
    }

    async fn take_in(&self, mut read: impl AsyncRead + Unpin, pieces: mpsc::Sender<Piece>) -> io::Result<()> {
        loop {
            let mut bytes = Vec::with_capacity(BUFFER_BYTES);
            if read.read_buf(&mut bytes).await? == 0 {
                return Ok(());
            }
            let due = self.due(bytes.len());
            if pieces.send(Piece { due, bytes }).await.is_err() {
                // The writing side has ended.
                return Ok(());
            }
        }
    }

    /// Returns when bytes that arrive now are to be passed on; `None` for at once.
    fn due(&self, bytes: usize) -> Option<Instant> {
        let condition = self.now();
        let jitter = condition.jitter.mul_f64(fastrand::f64());
        let late = condition.delay + jitter;
        (!late.is_zero()).then(|| {
            self.delayed.fetch_add(bytes as u64, Ordering::Relaxed);
            later(Instant::now(), late)
        })
    }

    async fn give_out(&self, mut write: impl AsyncWrite + Unpin, mut pieces: mpsc::Receiver<Piece>) -> io::Result<()> {
        let mut free = Instant::now();
        while let Some(piece) = pieces.recv().await {
            if let Some(due) = piece.due {
                sleep_until(due).await;
            }
            let count = piece.bytes.len() as u64;
            self.open(&self.held, count).await;
            let mut rest = piece.bytes.as_slice();
            while !rest.is_empty() {
                let limit = self.now().bytes_per_second;
                // In parts, so that the wait ends soon after the limit is lifted.
                let part =
                    if limit == 0 { rest.len() } else { rest.len().min(usize::try_from(limit / 10 + 1).unwrap_or(1)) };
                if limit > 0 {
                    free = free.max(Instant::now()) + Duration::from_secs_f64(part as f64 / limit as f64);
                    self.delayed.fetch_add(part as u64, Ordering::Relaxed);
                    sleep_until(free).await;
                }
                write.write_all(&rest[..part]).await?;
                rest = &rest[part..];
            }
        }
        // The end of the stream must not overtake the bytes before it.
        self.open(&self.held, 0).await;
        write.shutdown().await
    }
}

struct Piece {
    /// When to pass it on; `None` for at once.
    due: Option<Instant>,
    bytes: Vec<u8>,
}
