//! Faults of watches: they delay events, or hold them back until the fault is healed.

use std::time::{Duration, Instant};

use crate::board::{Bite, Board, process};
use crate::{WatchFault, What};

/// Returns the delay of events about an object (`Pod`, `default/kubia`). [`Duration::MAX`] means until the fault is
/// healed.
pub(crate) fn delay(board: &Board, kind: &str, object: &str) -> Option<Bite<Duration>> {
    board.worst(|what| match what {
        What::Watch(fault) if concerns(fault, kind, object) => Some(match fault.delay_ms {
            0 => Duration::MAX,
            delay => Duration::from_millis(delay),
        }),
        _ => None,
    })
}

fn concerns(fault: &WatchFault, kind: &str, object: &str) -> bool {
    let is = |wanted: &str, it: &str| wanted.is_empty() || wanted == it;
    is(&fault.kind, kind) && is(&fault.object, object)
}

/// Waits until the watches of this process may see an event about an object. Returns at once unless a fault delays it.
pub fn may_see(kind: &'static str, namespace: &str, name: &str) -> impl Future<Output = ()> + Send + 'static {
    let object = if namespace.is_empty() { name.to_owned() } else { format!("{namespace}/{name}") };
    async move {
        let (board, start, mut counted) = (process(), Instant::now(), false);
        let mut news = board.news();
        loop {
            news.borrow_and_update();
            // The fault may have been healed or replaced in the meantime.
            let Some(bite) = delay(&board, kind, &object) else { return };
            if !std::mem::replace(&mut counted, true) {
                bite.count();
            }
            let left = bite.what.saturating_sub(start.elapsed());
            if left.is_zero() {
                return;
            }
            // The board lives as long as the process.
            drop(tokio::time::timeout(left, news.changed()).await);
        }
    }
}
