//! Measures the cost of many objects: memory, a list, a snapshot, a restart, a new member.

use std::time::{Duration, Instant};

use serde::Serialize;
use squall_api::Kind;
use squall_checkers::agreement;
use squall_client::{ResourceRef, wait_for};
use squall_cluster::{MemberName, Role, leaders};

use crate::load::Load;
use crate::store::{Bench, NAMESPACE, Options, Target, Workload, prepare};

/// How long writes are timed, with and without snapshots.
const WRITES: Duration = Duration::from_secs(10);
/// The number of concurrent writers.
const WRITERS: usize = 16;

/// The results for a cluster with many objects.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SizeReport {
    /// The number of objects.
    pub objects: usize,
    /// The size of each value.
    pub value_bytes: usize,
    /// The time to create the objects, in seconds.
    pub fill_seconds: f64,
    /// The memory of each apiserver after that, in MiB.
    pub resident_mib: Vec<f64>,
    /// The time to list all objects, in seconds.
    pub list_seconds: f64,
    /// The time until a client had a snapshot, in seconds.
    pub snapshot_seconds: f64,
    /// The snapshot's size, in MiB.
    pub snapshot_mib: f64,
    /// The 99.9th percentile of the latency of writes by 16 clients, in milliseconds.
    pub write_p999_ms: f64,
    /// The same while snapshots are continuously taken from the leader.
    pub write_p999_ms_during_snapshots: f64,
    /// The time from a killed apiserver's restart until it agreed with the others, in seconds.
    pub restart_seconds: f64,
    /// The time until a new apiserver had caught up and voted, in seconds.
    pub new_member_seconds: f64,
}

impl Bench {
    /// Fills the store and measures the cost of its size.
    pub async fn measure_size(&mut self, objects: usize, value_bytes: usize) -> anyhow::Result<SizeReport> {
        let load = Load { clients: 1, warm_up: Duration::ZERO, duration: Duration::ZERO };
        let options =
            Options { workload: Workload::Put, load, target: Target::All, connections: 1, value_bytes, keys: objects };
        let start = Instant::now();
        prepare(&self.client, &options, &"x".repeat(value_bytes)).await?;
        let fill_seconds = start.elapsed().as_secs_f64();
        let resident_mib = self.reading().await.into_iter().map(|reading| reading.usage.resident_mib()).collect();
        let start = Instant::now();
        let all = ResourceRef::collection(Kind::ConfigMap, NAMESPACE);
        let (_, listed) = self.client.list(&all, "", "", "").await?;
        anyhow::ensure!(listed.len() >= objects, "only {} objects", listed.len());
        let list_seconds = start.elapsed().as_secs_f64();
        drop(listed);
        let write_p999_ms = self.timed_writes(value_bytes, objects).await?;
        let (leader, _) = wait_for("a Raft leader", || leaders::raft_leader(&self.client)).await?;
        let client = self.client.beginning_with(leader.index);
        let start = Instant::now();
        let bytes = client.snapshot(&mut tokio::io::sink()).await?;
        let snapshot_seconds = start.elapsed().as_secs_f64();
        let snapshots = async {
            loop {
                if let Err(error) = client.snapshot(&mut tokio::io::sink()).await {
                    return error;
                }
            }
        };
        let write_p999_ms_during_snapshots = tokio::select! {
            timed = self.timed_writes(value_bytes, objects) => timed?,
            error = snapshots => return Err(error.into()),
        };
        let member = MemberName { role: Role::Apiserver, index: 0 };
        self.cluster.kill(member)?;
        let start = Instant::now();
        self.cluster.start(member)?;
        wait_for("all members to agree", || agreement::agreed(&self.client)).await?;
        let restart_seconds = start.elapsed().as_secs_f64();
        let start = Instant::now();
        self.cluster.add_apiserver().await?;
        let new_member_seconds = start.elapsed().as_secs_f64();
        Ok(SizeReport {
            objects,
            value_bytes,
            fill_seconds,
            resident_mib,
            list_seconds,
            snapshot_seconds,
            snapshot_mib: mib(bytes),
            write_p999_ms,
            write_p999_ms_during_snapshots,
            restart_seconds,
            new_member_seconds,
        })
    }

    async fn timed_writes(&self, value_bytes: usize, keys: usize) -> anyhow::Result<f64> {
        let load = Load { clients: WRITERS, warm_up: Duration::from_secs(1), duration: WRITES };
        let options =
            Options { workload: Workload::Put, load, target: Target::Leader, connections: 8, value_bytes, keys };
        let figures = self.measure(&options).await?;
        if let Some(error) = figures.first_error {
            anyhow::bail!("{} writes failed, the first: {error}", figures.errors);
        }
        Ok(figures.p999_ms)
    }
}

#[expect(clippy::cast_precision_loss, reason = "lengths are far below 2^52")]
fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
