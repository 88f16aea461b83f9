//! Waits until a cluster is ready: every member is running and does its work.

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
use crate::folder::runtime_socket;
use crate::member::{MemberName, Role};
use crate::process::ProcessState;

/// Interval between checks of the members.
const LOOK: Duration = Duration::from_millis(10);
/// Deadline for each request to a member.
const ASK: Duration = Duration::from_secs(2);
/// The namespace of the nodes' Leases.
const NODE_LEASES: &str = "kube-node-lease";

/// Waits until every member is ready. Fails if a member ends or is paused, or if it takes longer than `patience`.
pub async fn wait_until_ready(cluster: &mut Cluster, client: &Client, patience: Duration) -> anyhow::Result<()> {
    let deadline = Instant::now() + patience;
    let client = client.with_deadline(ASK);
    loop {
        let seen = look(cluster, &client).await;
        // Checked last: a member may have ended during the other checks.
        if let Some(failure) = cluster.first_failure() {
            bail!("{failure}");
        }
        if let Some(frozen) = cluster.members().into_iter().find(|m| cluster.state(*m).0 == ProcessState::Paused) {
            bail!("{frozen} is paused; resume it with \"ctl cluster resume {frozen}\"");
        }
        match seen {
            Ok(()) => return cluster.note_founded(),
            Err(seen) if Instant::now() >= deadline => bail!("not ready after {patience:?}: {seen}"),
            Err(_) => tokio::time::sleep(LOOK).await,
        }
    }
}

/// Checks all members. The error is the first problem found.
async fn look(cluster: &Cluster, client: &Client) -> Result<(), String> {
    let members = cluster.members();
    if let Some(absent) = members.iter().find(|member| cluster.state(**member).0 == ProcessState::Stopped) {
        return Err(format!("{absent} is not running"));
    }
    for endpoint in client.endpoints() {
        let status = client.member_status(&endpoint).await.map_err(|error| format!("{endpoint}: {error}"))?;
        if !status.ready {
            return Err(format!("{} is not in a quorum", status.name));
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

/// Connects by the folder's descriptor, because socket paths must be short.
fn reach_runtime(cluster: &Cluster, node: usize) -> std::io::Result<()> {
    let folder = File::open(cluster.folder())?;
    UnixStream::connect(format!("/proc/self/fd/{}/{}", folder.as_raw_fd(), runtime_socket(node))).map(drop)
}

/// Checks that every node is ready, and that each kubelet that was just started has renewed its Lease since then: the
/// Node may still show an earlier state.
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
        let Some(started) = cluster.launcher.started_at(kubelet) else { continue };
        let lease = leases.iter().find(|lease| lease.metadata.name == name);
        let renewed = lease.and_then(|lease| lease.spec.renew_time).map(|time| time.timestamp());
        if renewed.is_none_or(|renewed| renewed < started) {
            return Err(format!("{kubelet} has not renewed its Lease yet"));
        }
    }
    Ok(())
}

fn is_ready(node: &Node) -> bool {
    node.status.conditions.iter().any(|condition| condition.r#type == "Ready" && condition.status == "True")
}
