//! The clock of this process: the machine's clock, unless a fault skews it.

use jiff::{SignedDuration, Timestamp};

use crate::What;
use crate::board::process;

/// Returns the current time, as this process sees it.
#[must_use]
pub fn now() -> Timestamp {
    let true_now = Timestamp::now();
    let skewed = process().find(
        |what| match what {
            What::Clock(clock) => Some(clock.skew_ms),
            _ => None,
        },
        i64::saturating_add,
    );
    match skewed {
        None => true_now,
        Some(bite) => {
            bite.count();
            true_now.checked_add(SignedDuration::from_millis(bite.what)).unwrap_or(true_now)
        }
    }
}
