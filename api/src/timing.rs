//! Arithmetic on the times and seconds of objects, which come from outside: nothing here can panic or wrap.
//!
//! Seconds in objects are converted to real time: in a cluster with `fast` timing, they last a tenth of a second.

use std::ops::Add;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use squall_proto::core::v1::Node;

/// The node annotation with the divisor of seconds in objects (probe periods, minReadySeconds).
pub const DIVISOR: &str = "squall.dev/seconds-divided-by";

/// Returns a time later than another one by a number of seconds, or earlier if it is negative; the last or first time
/// there is if that is out of range.
#[must_use]
pub fn shifted(time: Timestamp, seconds: i64) -> Timestamp {
    let limit = if seconds < 0 { Timestamp::MIN } else { Timestamp::MAX };
    time.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(limit)
}

/// Returns the rest of a span that began at `since`; zero if it is over.
#[must_use]
pub fn left(span: Duration, since: Timestamp, now: Timestamp) -> Duration {
    let span = SignedDuration::try_from(span).unwrap_or(SignedDuration::MAX);
    Duration::try_from(span.saturating_sub(now.duration_since(since))).unwrap_or_default()
}

/// The longest wait that is worth planning.
const LONGEST_WAIT: Duration = Duration::from_secs(365 * 24 * 3_600);

/// Returns a time of the machine that is later by a wait, at most a year.
#[must_use]
#[expect(clippy::arithmetic_side_effects, reason = "no clock of a machine comes within a year of its end")]
pub fn later<T: Add<Duration, Output = T>>(start: T, wait: Duration) -> T {
    start + wait.min(LONGEST_WAIT)
}

/// Converts seconds in an object to real time, for a cluster with this node. Nodes without the annotation use real
/// seconds.
#[must_use]
pub fn lasts(seconds: i64, node: Option<&Node>) -> Duration {
    let divisor = node.and_then(|node| node.metadata.annotations.get(DIVISOR)).and_then(|text| text.parse().ok());
    let real = Duration::from_secs(seconds.try_into().unwrap_or(0));
    divisor.and_then(|divisor| real.checked_div(divisor)).unwrap_or(real)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_number_from_outside_overflows() {
        let numbers = [i64::MIN, i64::MIN + 1, -1, 0, 1, 30, i64::MAX - 1, i64::MAX];
        let times = [Timestamp::MIN, Timestamp::UNIX_EPOCH, Timestamp::MAX];
        for seconds in numbers {
            for time in times {
                let moved = shifted(time, seconds);
                assert!((moved >= time) == (seconds >= 0) || moved == time, "{time} {seconds}");
                for now in times {
                    let start = std::time::Instant::now();
                    assert!(later(start, left(lasts(seconds, None), time, now)) >= start);
                }
            }
        }
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(shifted(at(10), 20), at(30));
        assert_eq!(left(Duration::from_secs(30), at(10), at(15)), Duration::from_secs(25));
        assert_eq!(left(Duration::from_secs(30), at(10), at(99)), Duration::ZERO);
    }
}
