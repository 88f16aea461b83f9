//! Measures how long writes wait after the leading apiserver is killed.

use std::time::Instant;

use serde::Serialize;
use serde_json::json;
use squall_api::core::v1::ConfigMap;
use squall_checkers::agreement;
use squall_client::{Api, PATIENCE, wait_for};
use squall_cluster::{Cluster, Lifetime, Options, leaders, wait_until_ready};

const NAME: &str = "failover";

/// The results.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The time from the SIGKILL to the first acknowledged write, for each round, in milliseconds, shortest first.
    pub first_write_ms: Vec<f64>,
}

/// Kills the leader this many times and writes at once. `told` receives a line for each round.
pub async fn run(options: &Options, rounds: usize, mut told: impl FnMut(String)) -> anyhow::Result<Report> {
    let folder = tempfile::tempdir()?;
    let mut cluster = Cluster::create(folder.path(), options.clone(), Lifetime::Attached)?;
    cluster.start_all()?;
    let client = cluster.client()?;
    wait_until_ready(&mut cluster, &client, PATIENCE).await?;
    let maps: Api<ConfigMap> = Api::new(client.clone(), "default");
    let mut map = ConfigMap::default();
    NAME.clone_into(&mut map.metadata.name);
    maps.create(map).await?;
    let mut first_write_ms = Vec::new();
    for round in 1..=rounds {
        let (leader, term) = wait_for("a Raft leader", || leaders::raft_leader(&client)).await?;
        wait_for("all members to agree", || agreement::agreed(&client)).await?;
        let start = Instant::now();
        cluster.kill(leader)?;
        maps.patch(NAME, &json!({"data": {"round": round.to_string()}})).await?;
        let milliseconds = start.elapsed().as_secs_f64() * 1_000.0;
        told(format!("round {round} of {rounds}: {leader} led term {term}; first write after {milliseconds:.0} ms"));
        first_write_ms.push(milliseconds);
        cluster.start(leader)?;
    }
    cluster.down()?;
    first_write_ms.sort_by(f64::total_cmp);
    Ok(Report { first_write_ms })
}
