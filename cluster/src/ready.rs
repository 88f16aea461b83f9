//! Waits until a cluster is ready: every member is running and does its work. A cluster that has been ready before may
//! have lost members for good; the others are then enough if the apiservers among them are a quorum.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::{bail, ensure};
use squall_api::coordination::v1::Lease;
use squall_api::core::v1::Node;
use squall_api::timing::later;
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

/// A member that has ended on its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// Name of the member.
    pub member: MemberName,
    /// Description of its end, with the last line of its log.
    pub reason: String,
}

/// Whether members may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missing {
    /// Every member must run.
    Nobody,
    /// Members of a cluster that has been ready before, as long as there is a quorum.
    AllButAQuorum,
}

/// Waits until every member is ready. Fails if a member ends or is paused, or if it takes longer than `patience`.
pub async fn wait_until_ready(cluster: &mut Cluster, client: &Client, patience: Duration) -> anyhow::Result<()> {
    wait(cluster, client, patience, Missing::Nobody).await.map(drop)
}

/// Waits until every member is ready, except those that have ended on their own, and returns these. Fails like
/// [`wait_until_ready`] if the cluster is new or the other apiservers are no quorum.
pub async fn wait_until_usable(
    cluster: &mut Cluster,
    client: &Client,
    patience: Duration,
) -> anyhow::Result<Vec<Failed>> {
    wait(cluster, client, patience, Missing::AllButAQuorum).await
}

async fn wait(
    cluster: &mut Cluster,
    client: &Client,
    patience: Duration,
    missing: Missing,
) -> anyhow::Result<Vec<Failed>> {
    let deadline = later(Instant::now(), patience);
    let client = client.with_deadline(ASK);
    let mut failed = Vec::new();
    loop {
        let seen = look(cluster, &client, &failed).await;
        // Checked last: a member may have ended during the other checks.
        let known = failed.len();
        failed = cluster.failures();
        if let Some(first) = failed.first() {
            let is_new = missing == Missing::Nobody || !cluster.is_founded();
            ensure!(!is_new, "{}", first.reason);
            check_quorum(cluster, &failed)?;
        }
        if let Some(frozen) = cluster.members().into_iter().find(|m| cluster.state(*m).0 == ProcessState::Paused) {
            bail!("{frozen} is paused; resume it with \"ctl cluster resume {frozen}\"");
        }
        match seen {
            Ok(()) if failed.len() == known => {
                if failed.is_empty() {
                    cluster.note_founded()?;
                }
                return Ok(failed);
            }
            Ok(()) => {}
            Err(seen) if Instant::now() >= deadline => bail!("not ready after {patience:?}: {seen}"),
            Err(_) => tokio::time::sleep(LOOK).await,
        }
    }
}

/// Checks that the apiservers that have not failed are a quorum.
fn check_quorum(cluster: &Cluster, failed: &[Failed]) -> anyhow::Result<()> {
    let is_apiserver = |member: &MemberName| member.role == Role::Apiserver;
    let all = cluster.members().into_iter().filter(is_apiserver).count();
    let lost = failed.iter().filter(|failed| is_apiserver(&failed.member)).count();
    let left = all.saturating_sub(lost);
    let reasons = || failed.iter().map(|failed| failed.reason.as_str()).collect::<Vec<_>>().join("\n");
    ensure!(
        left > all / 2,
        "{}\n{left} of {all} apiservers are left, which is no quorum; start again from a snapshot: \"ctl snapshot \
         restore FILE --dir DIR\", with another folder",
        reasons()
    );
    Ok(())
}

/// Checks all members except those that have failed. The error is the first problem found.
async fn look(cluster: &Cluster, client: &Client, failed: &[Failed]) -> Result<(), String> {
    let mut members = cluster.members();
    members.retain(|member| failed.iter().all(|failed| failed.member != *member));
    if let Some(absent) = members.iter().find(|member| cluster.state(**member).0 == ProcessState::Stopped) {
        return Err(format!("{absent} is not running"));
    }
    for apiserver in members.iter().filter(|member| member.role == Role::Apiserver) {
        let endpoint = cluster.apiserver_url(apiserver.index);
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
