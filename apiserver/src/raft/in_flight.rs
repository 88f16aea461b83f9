//! Bounds the bytes of the writes that a member has passed on and whose outcome it does not know yet.
//!
//! openraft and the log queue writes by their number. Writes of 1 MiB would fill the memory long before a queue. A group
//! without a quorum would take them without end.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// Maximum length of the writes in flight.
const MAX_BYTES: usize = 16 << 20;
/// Length that one permit of the semaphore stands for: it counts in 32 bits.
const UNIT: usize = 1 << 10;

/// The share of a write. It returns when this is dropped.
pub type Share = OwnedSemaphorePermit;

/// The writes of one member that are in flight.
#[derive(Clone)]
pub struct InFlight {
    units: Arc<Semaphore>,
}

impl InFlight {
    /// Creates a bound, with nothing in flight.
    #[must_use]
    pub fn new() -> Self {
        Self { units: Arc::new(Semaphore::new(MAX_BYTES / UNIT)) }
    }

    /// Waits until there is room for a write, in the order of the calls. A write above the whole bound waits until
    /// nothing else is in flight. Returns `None` after the deadline.
    pub async fn admit(&self, bytes: usize, deadline: Instant) -> Option<Share> {
        let units = u32::try_from(bytes.div_ceil(UNIT).clamp(1, MAX_BYTES / UNIT)).ok()?;
        tokio::time::timeout_at(deadline, self.units.clone().acquire_many_owned(units)).await.ok()?.ok()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn writes_wait_for_room_by_their_bytes() {
        let in_flight = InFlight::new();
        let soon = || Instant::now() + Duration::from_millis(10);
        let half = in_flight.admit(MAX_BYTES / 2, soon()).await.unwrap();
        let rest = in_flight.admit(MAX_BYTES / 2, soon()).await.unwrap();
        assert!(in_flight.admit(0, soon()).await.is_none(), "even an empty write needs a unit");
        drop(half);
        assert!(in_flight.admit(usize::MAX, soon()).await.is_none(), "a huge one waits for all of it");
        drop(rest);
        assert!(in_flight.admit(usize::MAX, soon()).await.is_some());
    }
}
