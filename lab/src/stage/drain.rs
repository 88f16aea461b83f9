//! Drains a node for one arm: cordons it, and evicts the arm's own pods. Other arms keep theirs.

use std::time::Duration;

use anyhow::Context;
use serde_json::json;
use squall_api::Kind;
use squall_api::core::v1::{Node, Pod};
use squall_api::kinds::is_pod_terminal;
use squall_client::{Api, Client, Encoding, Error, Manifest, Reason, ResourceRef, WriteOptions};

/// How long to wait before retrying an eviction that a budget forbids. kubectl waits 5 s of the cluster's time.
const RETRY: Duration = Duration::from_millis(500);
/// How often to look whether a pod is gone.
const LOOK: Duration = Duration::from_millis(50);

/// Cordons a node, evicts the pods of a namespace from it, and waits until they are gone. Returns how many there were.
pub async fn drain(client: &Client, node: &str, namespace: &str) -> anyhow::Result<usize> {
    schedule(client, node, Scheduling::Stopped).await?;
    let pods: Api<Pod> = Api::new(client.clone(), namespace);
    let mut there = pods.list("", &format!("spec.nodeName={node}")).await?;
    there.retain(|pod| !is_pod_terminal(pod));
    let evictions = there.iter().map(|pod| evict(client, pod));
    futures_util::future::try_join_all(evictions).await?;
    for pod in &there {
        while is_there(&pods, pod).await? {
            tokio::time::sleep(LOOK).await;
        }
    }
    Ok(there.len())
}

/// Whether new pods may come to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheduling {
    /// The node is cordoned: none may.
    Stopped,
    /// The node is not cordoned.
    Allowed,
}

/// Cordons a node, or uncordons it.
pub async fn schedule(client: &Client, node: &str, scheduling: Scheduling) -> anyhow::Result<()> {
    let nodes: Api<Node> = Api::new(client.clone(), "");
    let patch = json!({"spec": {"unschedulable": scheduling == Scheduling::Stopped}});
    nodes.patch(node, &patch).await.map(drop).with_context(|| format!("node {node}"))
}

async fn evict(client: &Client, pod: &Pod) -> anyhow::Result<()> {
    let (name, namespace) = (&pod.metadata.name, &pod.metadata.namespace);
    let eviction = json!({
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": name, "namespace": namespace},
    });
    let resource = ResourceRef::object(Kind::Pod, namespace, name).part("eviction");
    loop {
        let manifest = Manifest { encoding: Some(Encoding::Json(eviction.to_string().into())) };
        match client.create(&resource, manifest, WriteOptions::default()).await {
            Ok(_) => return Ok(()),
            Err(error) if error.is_not_found() => return Ok(()),
            Err(Error::Api(error)) if error.is(Reason::TooManyRequests) => tokio::time::sleep(RETRY).await,
            Err(error) => return Err(error).with_context(|| format!("evicting pod {name}")),
        }
    }
}

async fn is_there(pods: &Api<Pod>, pod: &Pod) -> anyhow::Result<bool> {
    match pods.get(&pod.metadata.name).await {
        Ok(now) => Ok(now.metadata.uid == pod.metadata.uid),
        Err(error) if error.is_not_found() => Ok(false),
        Err(error) => Err(error.into()),
    }
}
