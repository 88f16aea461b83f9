//! The clock of this process: the machine's, unless it is put wrong.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use jiff::{SignedDuration, Timestamp};

/// By how many milliseconds it is wrong.
static SKEW_MS: AtomicI64 = AtomicI64::new(0);
/// How often a wrong time was given.
static WRONG: AtomicU64 = AtomicU64::new(0);

/// What time it is, for this process.
#[must_use]
pub fn now() -> Timestamp {
    let true_now = Timestamp::now();
    match SKEW_MS.load(Ordering::Relaxed) {
        0 => true_now,
        skew => {
            WRONG.fetch_add(1, Ordering::Relaxed);
            true_now.checked_add(SignedDuration::from_millis(skew)).unwrap_or(true_now)
        }
    }
}

/// Puts it wrong by this much.
pub(crate) fn set_skew(milliseconds: i64) {
    SKEW_MS.store(milliseconds, Ordering::Relaxed);
}

/// How often a wrong time was given so far.
pub(crate) fn wrong_times() -> u64 {
    WRONG.load(Ordering::Relaxed)
}
