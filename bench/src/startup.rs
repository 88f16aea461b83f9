//! Measures how fast a cluster starts, and its idle resource use.

use std::time::{Duration, Instant};

use serde::Serialize;
use squall_client::PATIENCE;
use squall_cluster::{Cluster, Lifetime, MemberName, Options, Usage, wait_until_ready};

/// How long a cluster runs before it counts as idle.
const SETTLE: Duration = Duration::from_secs(3);

/// The results.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The time from the first process until every node is ready, for each run, in seconds, shortest first.
    pub ready_seconds: Vec<f64>,
    /// How long the last cluster was measured while idle.
    pub idle_seconds: f64,
    /// The resource use of each member.
    pub members: Vec<Idle>,
}

/// The resource use of an idle member.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Idle {
    /// The member's name.
    pub member: MemberName,
    /// The CPU time in percent of one core.
    pub cpu_percent: f64,
    /// The memory in MiB.
    pub resident_mib: f64,
}

/// Starts this many clusters in sequence, and measures the last one while idle. `told` receives progress lines.
pub async fn run(
    options: &Options,
    runs: usize,
    idle: Duration,
    mut told: impl FnMut(String),
) -> anyhow::Result<Report> {
    let mut ready_seconds = Vec::new();
    let mut members = Vec::new();
    let mut idle_seconds = 0.0;
    for run in 1..=runs {
        let folder = tempfile::tempdir()?;
        let start = Instant::now();
        let mut cluster = Cluster::create(folder.path(), options.clone(), Lifetime::Attached)?;
        cluster.start_all()?;
        let client = cluster.client()?;
        wait_until_ready(&mut cluster, &client, PATIENCE).await?;
        let seconds = start.elapsed().as_secs_f64();
        told(format!("run {run} of {runs}: ready after {seconds:.2} s"));
        ready_seconds.push(seconds);
        if run == runs {
            told(format!("watching it for {} s while idle", idle.as_secs()));
            (idle_seconds, members) = watch(&cluster, idle).await;
        }
        cluster.down()?;
    }
    ready_seconds.sort_by(f64::total_cmp);
    Ok(Report { ready_seconds, idle_seconds, members })
}

async fn watch(cluster: &Cluster, idle: Duration) -> (f64, Vec<Idle>) {
    tokio::time::sleep(SETTLE).await;
    let read = || -> Vec<(MemberName, Usage)> {
        cluster.members().into_iter().filter_map(|member| Some((member, cluster.usage(member)?))).collect()
    };
    let (start, before) = (Instant::now(), read());
    tokio::time::sleep(idle).await;
    let (seconds, after) = (start.elapsed().as_secs_f64(), read());
    let members = before.iter().zip(&after).map(|((member, before), (_, after))| Idle {
        member: *member,
        cpu_percent: (after.cpu - before.cpu).as_secs_f64() / seconds * 100.0,
        resident_mib: after.resident_mib(),
    });
    (seconds, members.collect())
}
