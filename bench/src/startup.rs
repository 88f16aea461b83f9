//! How fast a cluster starts, and what it uses when nobody asks anything of it.

use std::time::{Duration, Instant};

use serde::Serialize;
use squall_client::PATIENCE;
use squall_cluster::{Cluster, Lifetime, MemberName, Options, Usage, wait_until_ready};

/// How long a cluster is left alone before it counts as idle.
const SETTLE: Duration = Duration::from_secs(3);

/// What was measured.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// From the first process to every node being ready, for each run, in seconds, shortest first.
    pub ready_seconds: Vec<f64>,
    /// For how long the last cluster was watched while idle.
    pub idle_seconds: f64,
    /// Each of its members.
    pub members: Vec<Idle>,
}

/// A member that has nothing to do.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Idle {
    /// Its name.
    pub member: MemberName,
    /// In percent of one core.
    pub cpu_percent: f64,
    /// In MiB.
    pub resident_mib: f64,
}

/// Starts so many clusters one after the other, and watches the last. `told` hears of each.
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
