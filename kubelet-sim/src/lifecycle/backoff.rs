//! How long to wait before a container restarts, and before a failed pull is retried.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use squall_daemon::Timing;
use squall_proto::squall::cri::v1 as cri;

use super::ContainerView;

/// Returns the wait after the newest attempt has ended. Kubernetes: the first restart is immediate, then the wait
/// doubles up to a limit. It starts again after a run twice as long as the limit, and for a different image.
pub fn restart_wait(view: &ContainerView, timing: &Timing) -> Duration {
    let Some(newest) = &view.current else { return Duration::ZERO };
    let attempts = std::iter::once(newest).chain(view.ended.iter().rev());
    let in_a_row = attempts
        .take_while(|attempt| attempt.image == newest.image && ran(attempt) < timing.backoff_max.saturating_mul(2));
    doubled(in_a_row.count().max(1), timing)
}

/// Returns the wait before a pull is retried after this many consecutive failures.
#[must_use]
pub fn pull_wait(failures: u32, timing: &Timing) -> Duration {
    doubled(usize::try_from(failures).unwrap_or(usize::MAX).saturating_add(1), timing)
}

/// Returns zero for the first time, then 10 s, 20 s, 40 s, … up to 300 s.
fn doubled(times: usize, timing: &Timing) -> Duration {
    match u32::try_from(times).unwrap_or(u32::MAX) {
        0 | 1 => Duration::ZERO,
        times => timing.backoff_first.saturating_mul(1 << times.saturating_sub(2).min(16)).min(timing.backoff_max),
    }
}

fn ran(attempt: &cri::Container) -> Duration {
    let finished = attempt.exit.as_ref().map_or(attempt.started_at, |exit| exit.finished_at);
    Duration::from_nanos(u64::try_from(finished.saturating_sub(attempt.started_at)).unwrap_or(0))
}

/// Returns when an attempt ended.
pub fn finished_at(ended: &cri::Container) -> Timestamp {
    let nanos = ended.exit.as_ref().map_or(0, |exit| exit.finished_at);
    Timestamp::from_nanosecond(nanos.into()).unwrap_or_default()
}

/// Adds a wait to a time, without overflow.
pub fn after(time: Timestamp, wait: Duration) -> Timestamp {
    let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
    time.checked_add(wait).unwrap_or(Timestamp::MAX)
}
