//! Waiting for a cluster to be ready: every member runs and does its work.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::bail;
use squall_api::coordination::v1::Lease;
use squall_api::core::v1::Node;
use squall_client::{Api, Client};
use tokio::time::Instant;

use crate::cluster::Cluster;
use crate::command::socket;
use crate::member::{MemberName, Role};
use crate::process::ProcessState;

/// How often members are looked at.
const LOOK: Duration = Duration::from_millis(10);
/// One who is asked has so long to answer.
const ASK: Duration = Duration::from_secs(2);
/// Where the Leases of nodes are.
const NODE_LEASES: &str = "kube-node-lease";

/// Returns when every member is ready; an error if one ends or is frozen, or if it takes too long.
pub async fn wait_until_ready(cluster: &mut Cluster, client: &Client, patience: Duration) -> anyhow::Result<()> {
    let deadline = Instant::now() + patience;
    let client = client.with_deadline(ASK);
    loop {
        let seen = look(cluster, &client).await;
        // Looked at last: a member may have ended while the others were asked.
        if let Some(failure) = cluster.first_failure() {
            bail!("{failure}");
        }
        if let Some(frozen) = cluster.members().into_iter().find(|m| cluster.state(*m).0 == ProcessState::Paused) {
            bail!("{frozen} is paused; let it go on with \"ctl cluster resume {frozen}\"");
        }
        match seen {
            Ok(()) => return cluster.note_founded(),
            Err(seen) if Instant::now() >= deadline => bail!("not ready after {patience:?}: {seen}"),
            Err(_) => tokio::time::sleep(LOOK).await,
        }
    }
}

/// The first thing that is not as it should be.
async fn look(cluster: &Cluster, client: &Client) -> Result<(), String> {
    let members = cluster.members();
    if let Some(absent) = members.iter().find(|member| cluster.state(**member).0 == ProcessState::Stopped) {
        return Err(format!("{absent} does not run"));
    }
    for endpoint in client.endpoints() {
        let status = client.member_status(&endpoint).await.map_err(|error| format!("{endpoint}: {error}"))?;
        if !status.ready {
            return Err(format!("{} is in no quorum", status.name));
        }
        if !status.voters.iter().any(|voter| voter.id == status.id) {
            return Err(format!("{} has no vote yet", status.name));
        }
    }
    for member in members.iter().filter(|member| member.role == Role::Runtime) {
        reach_runtime(cluster, member.index).map_err(|error| format!("{member}: {error}"))?;
    }
    nodes(cluster, client, members.into_iter().filter(|member| member.role == Role::Kubelet)).await
}

/// By the folder's descriptor: the path of a socket may not be long.
fn reach_runtime(cluster: &Cluster, node: usize) -> std::io::Result<()> {
    let folder = File::open(cluster.folder())?;
    UnixStream::connect(format!("/proc/self/fd/{}/{}", folder.as_raw_fd(), socket(node))).map(drop)
}

/// Every node is ready, and each kubelet that was just started has renewed its Lease since: the Node may be of before.
async fn nodes(cluster: &Cluster, client: &Client, kubelets: impl Iterator<Item = MemberName>) -> Result<(), String> {
    let unable = |error: squall_client::Error| error.to_string();
    let nodes: Vec<Node> = Api::new(client.clone(), "").list("", "").await.map_err(unable)?;
    let nodes: BTreeMap<&str, &Node> = nodes.iter().map(|node| (node.metadata.name.as_str(), node)).collect();
    let leases: Vec<Lease> = Api::new(client.clone(), NODE_LEASES).list("", "").await.map_err(unable)?;
    for kubelet in kubelets {
        let name = format!("node-{}", kubelet.index);
        if !nodes.get(name.as_str()).is_some_and(|node| is_ready(node)) {
            return Err(format!("{name} is not ready"));
        }
        let Some(started) = cluster.started_at(kubelet) else { continue };
        let lease = leases.iter().find(|lease| lease.metadata.name == name);
        let renewed = lease.and_then(|lease| lease.spec.renew_time).map(|time| time.timestamp());
        if renewed.is_none_or(|renewed| renewed < started) {
            return Err(format!("{kubelet} has not been heard of yet"));
        }
    }
    Ok(())
}

fn is_ready(node: &Node) -> bool {
    node.status.conditions.iter().any(|condition| condition.r#type == "Ready" && condition.status == "True")
}
