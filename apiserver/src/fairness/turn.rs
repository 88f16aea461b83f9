//! Turns: many long answers are written piece by piece, a few at a time, so that everything else comes in between. One
//! thread serves all requests; a thousand lists that are ready at once would otherwise each have their piece first.

use tokio::sync::{Semaphore, SemaphorePermit};

/// Number of answers that are written at the same time.
const TURNS: usize = 2;

static LEFT: Semaphore = Semaphore::const_new(TURNS);

/// A turn. It ends when this is dropped.
pub struct Turn {
    _permit: Option<SemaphorePermit<'static>>,
}

/// Waits for a turn, in the order of the calls. Only a task that is always polled may wait: a turn that came and is not
/// used holds up everyone.
pub async fn turn() -> Turn {
    // Waits even if it is free: other work that is ready has priority.
    tokio::task::yield_now().await;
    // It is never closed.
    Turn { _permit: LEFT.acquire().await.ok() }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Pieces of long answers that are ready at the same time.
    const PIECES: usize = 1_000;

    #[tokio::test]
    async fn other_work_comes_between_long_answers() {
        let written = Arc::new(AtomicUsize::new(0));
        let answers: Vec<_> = (0..PIECES)
            .map(|_| {
                let written = written.clone();
                tokio::spawn(async move {
                    let _turn = turn().await;
                    written.fetch_add(1, Ordering::Relaxed);
                    tokio::task::yield_now().await;
                })
            })
            .collect();
        // The first round only queues them.
        tokio::task::yield_now().await;
        let mut most = 0;
        while written.load(Ordering::Relaxed) < PIECES {
            let before = written.load(Ordering::Relaxed);
            tokio::task::yield_now().await;
            most = most.max(written.load(Ordering::Relaxed) - before);
        }
        assert!(most <= 4 * TURNS, "{most} pieces were written in between");
        for answer in answers {
            answer.await.unwrap();
        }
    }
}
