//! Counts the seats and the room that callers have taken.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use squall_daemon::identity::Caller;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::level::{Level, Limit};

/// Length that one permit for room stands for.
const UNIT: usize = 1 << 10;
/// How long a request waits for a seat.
const PATIENCE: Duration = Duration::from_millis(500);

/// The seats and the room of a member. Clones share them.
#[derive(Clone)]
pub struct Fairness {
    levels: Arc<[Pool; Level::ALL.len()]>,
}

/// The seats and the room of one level.
struct Pool {
    level: Level,
    all: Stock,
    callers: Mutex<Callers>,
}

struct Callers {
    stocks: HashMap<String, Weak<Stock>>,
    /// Number of entries at which those of callers that have gone are removed.
    sweep_at: usize,
}

/// Free seats and free room.
struct Stock {
    seats: Arc<Semaphore>,
    units: Arc<Semaphore>,
}

impl Stock {
    fn of(limit: Limit) -> Self {
        Self { seats: Arc::new(Semaphore::new(limit.seats)), units: Arc::new(Semaphore::new(limit.bytes / UNIT)) }
    }
}

/// A seat. It returns when this is dropped.
pub struct Seat {
    own: Arc<Stock>,
    all: Arc<Semaphore>,
    _seats: [OwnedSemaphorePermit; 2],
}

/// Room for an answer. It returns when this is dropped.
pub struct Room {
    _units: [OwnedSemaphorePermit; 2],
}

impl Default for Fairness {
    fn default() -> Self {
        Self { levels: Arc::new(Level::ALL.map(Pool::of)) }
    }
}

impl Fairness {
    /// Waits a moment for a seat for this caller. Returns `None` if there is none.
    pub async fn seat(&self, level: Level, caller: &Caller) -> Option<Seat> {
        let pool = self.levels.iter().find(|pool| pool.level == level)?;
        let own = pool.stock_of(caller.user());
        let seats = async {
            // The caller's own one first: who waits for it holds none of the others.
            let first = own.seats.clone().acquire_owned().await.ok()?;
            Some([first, pool.all.seats.clone().acquire_owned().await.ok()?])
        };
        let seats = tokio::time::timeout(PATIENCE, seats).await.ok()??;
        Some(Seat { own, all: pool.all.units.clone(), _seats: seats })
    }
}

impl Pool {
    fn of(level: Level) -> Self {
        Self {
            level,
            all: Stock::of(level.all()),
            callers: Mutex::new(Callers { stocks: HashMap::new(), sweep_at: 64 }),
        }
    }

    fn stock_of(&self, user: &str) -> Arc<Stock> {
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(stock) = callers.stocks.get(user).and_then(Weak::upgrade) {
            return stock;
        }
        if callers.stocks.len() >= callers.sweep_at {
            callers.stocks.retain(|_, stock| stock.strong_count() > 0);
            callers.sweep_at = callers.stocks.len().saturating_mul(2).max(64);
        }
        let stock = Arc::new(Stock::of(self.level.each()));
        callers.stocks.insert(user.to_owned(), Arc::downgrade(&stock));
        stock
    }
}

impl Seat {
    /// Takes room for this many bytes of an answer that is in memory by now. Returns `None` if there is none: the answer
    /// must be dropped, not kept waiting.
    pub fn room(&self, bytes: usize) -> Option<Room> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).ok()?;
        let own = self.own.units.clone().try_acquire_many_owned(units).ok()?;
        Some(Room { _units: [own, self.all.clone().try_acquire_many_owned(units).ok()?] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_caller_takes_its_share_and_no_more() {
        let fairness = Fairness::default();
        let (ann, bob) = (Caller::new("ann", &[]), Caller::new("bob", &[]));
        let mut seats = Vec::new();
        for _ in 0..Level::Users.each().seats {
            seats.push(fairness.seat(Level::Users, &ann).await.unwrap());
        }
        assert!(fairness.seat(Level::Users, &ann).await.is_none(), "her share is taken");
        assert!(fairness.seat(Level::Users, &bob).await.is_some());
        seats.pop();
        assert!(fairness.seat(Level::Users, &ann).await.is_some(), "one is free again");
    }

    #[tokio::test(start_paused = true)]
    async fn room_is_counted_in_bytes() {
        let fairness = Fairness::default();
        let seat = fairness.seat(Level::Users, &Caller::new("ann", &[])).await.unwrap();
        let half = Level::Users.each().bytes / 2;
        let first = seat.room(half).unwrap();
        let _second = seat.room(half).unwrap();
        assert!(seat.room(1).is_none() && seat.room(usize::MAX).is_none());
        drop(first);
        assert!(seat.room(1).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn callers_that_have_gone_are_forgotten() {
        let fairness = Fairness::default();
        for number in 0..10_000 {
            drop(fairness.seat(Level::Users, &Caller::new(&format!("user-{number}"), &[])).await.unwrap());
        }
        assert!(fairness.levels[1].callers.lock().unwrap().stocks.len() <= 64);
    }
}
