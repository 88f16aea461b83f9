//! A closed loop of load: each client sends its next request as soon as the last one is answered.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use hdrhistogram::Histogram;
use serde::Serialize;
use squall_api::timing::later;

/// The size and duration of the load.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// The number of concurrent clients.
    pub clients: usize,
    /// Requests that begin in this time are not counted.
    pub warm_up: Duration,
    /// How long requests are counted.
    pub duration: Duration,
}

/// The results. Latencies are those of successful operations.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Figures {
    /// The number of successful operations.
    pub operations: u64,
    /// The number of failed operations.
    pub errors: u64,
    /// The error of the first failed operation.
    pub first_error: Option<String>,
    /// The measured time in seconds.
    pub seconds: f64,
    /// The number of successful operations per second.
    pub per_second: f64,
    /// The median latency, in milliseconds.
    pub p50_ms: f64,
    /// The 90th percentile of the latency, in milliseconds.
    pub p90_ms: f64,
    /// The 99th percentile of the latency, in milliseconds.
    pub p99_ms: f64,
    /// The 99.9th percentile of the latency, in milliseconds.
    pub p999_ms: f64,
    /// The longest latency, in milliseconds.
    pub max_ms: f64,
}

/// Latencies are recorded in microseconds, with three digits, up to a minute.
const MAX_MICROS: u64 = 60_000_000;

/// The counts so far.
pub struct Counts {
    latencies: Histogram<u64>,
    errors: u64,
    first_error: Option<String>,
}

impl Counts {
    /// Starts with no operations.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self { latencies: Histogram::new_with_max(MAX_MICROS, 3)?, errors: 0, first_error: None })
    }

    /// Counts an operation.
    pub fn note(&mut self, result: anyhow::Result<()>, took: Duration) {
        match result {
            Ok(()) => self.latencies.saturating_record(u64::try_from(took.as_micros()).unwrap_or(MAX_MICROS)),
            Err(error) => {
                self.errors += 1;
                self.first_error.get_or_insert_with(|| format!("{error:#}"));
            }
        }
    }

    /// Returns the results for this time in seconds.
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    #[must_use]
    pub fn figures(&self, seconds: f64) -> Figures {
        let latencies = &self.latencies;
        let quantile = |quantile| latencies.value_at_quantile(quantile) as f64 / 1_000.0;
        Figures {
            operations: latencies.len(),
            errors: self.errors,
            first_error: self.first_error.clone(),
            seconds,
            per_second: latencies.len() as f64 / seconds,
            p50_ms: quantile(0.5),
            p90_ms: quantile(0.9),
            p99_ms: quantile(0.99),
            p999_ms: quantile(0.999),
            max_ms: latencies.max() as f64 / 1_000.0,
        }
    }
}

/// A client that can send requests repeatedly.
pub trait Client {
    /// Sends one request.
    fn ask(&mut self) -> impl Future<Output = anyhow::Result<()>>;
}

/// Runs each client until the time is over. Calls `begun` after the warm-up.
pub async fn run<C: Client>(load: &Load, clients: Vec<C>, begun: impl AsyncFnOnce()) -> anyhow::Result<Figures> {
    let counts = RefCell::new(Counts::new()?);
    let begin = later(Instant::now(), load.warm_up);
    let end = later(begin, load.duration);
    let work = clients.into_iter().map(async |mut client| {
        while Instant::now() < end {
            let start = Instant::now();
            let result = client.ask().await;
            if start >= begin {
                counts.borrow_mut().note(result, start.elapsed());
            }
        }
    });
    let mark = async {
        tokio::time::sleep_until(begin.into()).await;
        begun().await;
    };
    tokio::join!(join_all(work), mark);
    let seconds = begin.elapsed().as_secs_f64();
    Ok(counts.into_inner().figures(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Every(u64);

    impl Client for Every {
        async fn ask(&mut self) -> anyhow::Result<()> {
            tokio::time::sleep(Duration::from_millis(1)).await;
            self.0 += 1;
            anyhow::ensure!(!self.0.is_multiple_of(3), "every third fails");
            Ok(())
        }
    }

    #[tokio::test]
    async fn successes_and_failures_are_counted_after_the_warm_up() {
        let load = Load { clients: 2, warm_up: Duration::from_millis(20), duration: Duration::from_millis(200) };
        let begun = std::cell::Cell::new(false);
        let figures = run(&load, vec![Every(0), Every(0)], async || begun.set(true)).await.unwrap();
        assert!(begun.get());
        assert!(figures.operations > 10 && figures.errors > 5, "{figures:?}");
        assert!(figures.operations < 3 * figures.errors && figures.errors < figures.operations, "{figures:?}");
        assert_eq!(figures.first_error.as_deref(), Some("every third fails"));
        assert!(figures.p50_ms >= 1.0 && figures.p50_ms <= figures.p99_ms && figures.p99_ms <= figures.max_ms);
    }
}
