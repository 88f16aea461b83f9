//! Probes: checks a container periodically, and reports a verdict once the results reach a threshold.

use std::time::Duration;

use jiff::Timestamp;
use squall_api::core::v1::Probe;

use super::hooks::{Asked, within};
use crate::lifecycle::Problem;

/// The result of one attempt.
pub type Found = Result<(), Problem>;

/// Counts consecutive results until they reach a threshold.
#[derive(Debug, Clone)]
pub struct Counter {
    success_threshold: i32,
    failure_threshold: i32,
    successes: i32,
    failures: i32,
}

impl Counter {
    /// Creates a counter with the thresholds of a probe.
    pub fn new(probe: &Probe) -> Self {
        Self {
            success_threshold: probe.success_threshold,
            failure_threshold: probe.failure_threshold,
            successes: 0,
            failures: 0,
        }
    }

    /// Counts one result. Returns the verdict once a threshold is reached. Kubernetes: an error does not count.
    pub fn count(&mut self, found: &Found) -> Option<bool> {
        match found {
            Ok(()) => {
                self.failures = 0;
                self.successes = self.successes.saturating_add(1);
                (self.successes >= self.success_threshold).then_some(true)
            }
            Err(Problem::Failed(_)) => {
                self.successes = 0;
                self.failures = self.failures.saturating_add(1);
                (self.failures >= self.failure_threshold).then_some(false)
            }
            Err(Problem::Error(_)) => None,
        }
    }
}

/// Probes for ever, starting `initialDelaySeconds` after the container's start. Calls `tell` with each result and the
/// verdict, if there is one.
pub async fn run(probe: Probe, asked: Asked, started_at: Timestamp, mut tell: impl FnMut(Found, Option<bool>)) {
    let delay = asked.timing.seconds(probe.initial_delay_seconds.into());
    let running = Duration::try_from(squall_faults::now().duration_since(started_at)).unwrap_or_default();
    tokio::time::sleep(delay.saturating_sub(running)).await;
    let mut counter = Counter::new(&probe);
    let limit = asked.timing.seconds(probe.timeout_seconds.into()).max(Duration::from_millis(100));
    loop {
        let found = within(limit, attempt(&probe, &asked)).await;
        let settled = counter.count(&found);
        tell(found, settled);
        tokio::time::sleep(asked.timing.seconds(probe.period_seconds.into())).await;
    }
}

async fn attempt(probe: &Probe, asked: &Asked) -> Found {
    let handler = &probe.handler;
    match (&handler.http_get, &handler.tcp_socket, &handler.exec, &handler.grpc) {
        (Some(get), _, _, _) => asked.get(get).await,
        (_, Some(tcp), _, _) => asked.connect(tcp).await,
        (_, _, Some(exec), _) => asked.exec(exec).await,
        (_, _, _, Some(grpc)) => asked.health(grpc.port).await,
        _ => Err(Problem::Error("missing probe handler".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_settles_after_its_threshold() {
        let probe = Probe { success_threshold: 2, failure_threshold: 3, ..Probe::default() };
        let mut counter = Counter::new(&probe);
        let no = || Err(Problem::Failed(String::new()));
        let answers = [Ok(()), Ok(()), no(), no(), Ok(()), no(), no(), no(), no()];
        let settled: Vec<_> = answers.iter().map(|answer| counter.count(answer)).collect();
        assert_eq!(settled, [None, Some(true), None, None, None, None, None, Some(false), Some(false)]);
    }

    #[test]
    fn that_it_could_not_be_asked_does_not_count() {
        let mut counter = Counter::new(&Probe { success_threshold: 1, failure_threshold: 2, ..Probe::default() });
        let (no, error) = (Err(Problem::Failed(String::new())), Err(Problem::Error(String::new())));
        assert_eq!([&no, &error, &no].map(|found| counter.count(found)), [None, None, Some(false)]);
    }
}
