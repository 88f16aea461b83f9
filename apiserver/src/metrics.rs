//! The counters and timers of a member, in the format that Prometheus reads (OpenMetrics).

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// From 50 microseconds, an fsync of a fast disk, to 1.6 s; each bucket is twice as wide as the previous one.
const FIRST_BUCKET: f64 = 50e-6;
const BUCKETS: u16 = 16;

/// The result of a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Outcome {
    /// A quorum has it on disk, and it is applied.
    Applied,
    /// A comparison failed: nothing was changed.
    Refused,
    /// No confirmation arrived in time; the write may have happened.
    Unconfirmed,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    outcome: Outcome,
}

/// A histogram of durations in seconds.
#[derive(Debug, Clone)]
pub struct Timer(Histogram);

impl Timer {
    fn new() -> Self {
        Self(Histogram::new(exponential_buckets(FIRST_BUCKET, 2.0, BUCKETS)))
    }

    /// Records one duration.
    pub fn observe(&self, took: Duration) {
        self.0.observe(took.as_secs_f64());
    }
}

/// Values that are read when the metrics are requested.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reading {
    /// Current Raft term.
    pub term: u64,
    /// Whether this member is the leader.
    pub leads: bool,
    /// Current revision of the store.
    pub revision: u64,
    /// Number of objects in the store, including bookkeeping such as claims.
    pub objects: usize,
    /// Size of the log on disk.
    pub log_bytes: u64,
    /// Size of the snapshots on disk.
    pub snapshot_bytes: u64,
}

/// The metrics of one member.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Duration of log fsyncs.
    pub fsync: Timer,
    /// Time to apply a batch of committed entries and show it to readers.
    pub apply: Timer,
    /// Time from a proposal of a client of this member until it is applied here.
    pub commit: Timer,
    proposals: Family<Labels, Counter>,
    /// Leader changes that this member has seen.
    pub leader_changes: Counter,
    /// Open watches.
    pub watchers: Gauge,
    /// Watches that ended because they fell too far behind.
    pub dropped_watchers: Counter,
    /// Requests whose handler panicked.
    pub panics: Counter,
    term: Gauge,
    is_leader: Gauge,
    revision: Gauge,
    objects: Gauge,
    log_bytes: Gauge,
    snapshot_bytes: Gauge,
}

impl Metrics {
    /// Creates metrics that are all zero.
    #[must_use]
    pub fn new() -> Arc<Self> {
        let mut metrics = Self {
            registry: Registry::with_prefix("squall"),
            fsync: Timer::new(),
            apply: Timer::new(),
            commit: Timer::new(),
            proposals: Family::default(),
            leader_changes: Counter::default(),
            watchers: Gauge::default(),
            dropped_watchers: Counter::default(),
            panics: Counter::default(),
            term: Gauge::default(),
            is_leader: Gauge::default(),
            revision: Gauge::default(),
            objects: Gauge::default(),
            log_bytes: Gauge::default(),
            snapshot_bytes: Gauge::default(),
        };
        metrics.register();
        Arc::new(metrics)
    }

    fn register(&mut self) {
        let registry = &mut self.registry;
        let mut timer = |name, help, timer: &Timer| {
            registry.register_with_unit(name, help, Unit::Seconds, timer.0.clone());
        };
        timer("log_fsync_duration", "Duration of Raft log fsyncs", &self.fsync);
        timer("apply_duration", "Time to apply a batch of committed entries and show it to readers", &self.apply);
        timer("commit_duration", "Time from a proposal made here until it is applied here", &self.commit);
        registry.register("proposals", "Proposals made here, by outcome", self.proposals.clone());
        registry.register("raft_leader_changes", "Leader changes seen by this member", self.leader_changes.clone());
        registry.register("dropped_watchers", "Watches that fell too far behind", self.dropped_watchers.clone());
        registry.register("handler_panics", "Requests whose handler panicked", self.panics.clone());
        let mut gauge = |name, help, gauge: &Gauge| registry.register(name, help, gauge.clone());
        gauge("watchers", "Open watches", &self.watchers);
        gauge("raft_term", "Current Raft term", &self.term);
        gauge("raft_is_leader", "1 if this member leads, else 0", &self.is_leader);
        gauge("store_revision", "Current revision of the store", &self.revision);
        gauge("store_objects", "Objects in the store, including bookkeeping", &self.objects);
        let mut bytes = |name, help, gauge: &Gauge| {
            registry.register_with_unit(name, help, Unit::Bytes, gauge.clone());
        };
        bytes("log_size", "Size of the Raft log on disk", &self.log_bytes);
        bytes("snapshot_size", "Size of the snapshots on disk", &self.snapshot_bytes);
    }

    /// Counts a proposal.
    pub fn proposed(&self, outcome: Outcome) {
        self.proposals.get_or_create(&Labels { outcome }).inc();
    }

    /// Formats all metrics as text.
    pub fn text(&self, reading: &Reading) -> Result<String, std::fmt::Error> {
        let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        self.term.set(number(reading.term));
        self.is_leader.set(i64::from(reading.leads));
        self.revision.set(number(reading.revision));
        self.objects.set(number(reading.objects as u64));
        self.log_bytes.set(number(reading.log_bytes));
        self.snapshot_bytes.set(number(reading.snapshot_bytes));
        let mut out = String::new();
        text::encode(&mut out, &self.registry)?;
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noted_is_in_the_text() {
        let metrics = Metrics::new();
        metrics.fsync.observe(Duration::from_micros(70));
        metrics.proposed(Outcome::Refused);
        metrics.leader_changes.inc();
        let text = metrics.text(&Reading { term: 3, leads: true, log_bytes: 42, ..Reading::default() }).unwrap();
        for line in [
            "squall_log_fsync_duration_seconds_bucket{le=\"0.0001\"} 1",
            "squall_log_fsync_duration_seconds_count 1",
            "squall_commit_duration_seconds_count 0",
            "squall_proposals_total{outcome=\"Refused\"} 1",
            "squall_raft_leader_changes_total 1",
            "squall_raft_term 3",
            "squall_raft_is_leader 1",
            "squall_log_size_bytes 42",
            "squall_watchers 0",
        ] {
            assert!(text.lines().any(|have| have == line), "{line} is not in\n{text}");
        }
    }
}
