//! Waiting for a cluster to be ready: its apiservers answer, and its nodes say that they are ready.

use std::time::Duration;

use anyhow::bail;
use squall_api::Kind;
use squall_api::core::v1::Node;
use squall_client::{Client, Event, Selection, Watch};
use tokio::time::Instant;

use crate::cluster::Cluster;

/// How often members are looked at meanwhile.
const LOOK: Duration = Duration::from_millis(100);

/// Returns when so many nodes as the cluster has are ready; an error if a member ends or it takes too long.
pub async fn wait_until_ready(cluster: &mut Cluster, client: &Client, patience: Duration) -> anyhow::Result<()> {
    let deadline = Instant::now() + patience;
    let wanted = cluster.options().nodes;
    let mut watch = Watch::new(client.clone(), Selection::all(Kind::Node));
    let mut ready = std::collections::BTreeSet::new();
    let mut complete = false;
    while !complete || ready.len() < wanted {
        tokio::select! {
            event = watch.next() => match event? {
                Event::Begin => ready.clear(),
                Event::Complete(_) => complete = true,
                Event::Applied(object, _) => {
                    if let Ok(node) = Node::try_from(*object) {
                        if is_ready(&node) { ready.insert(node.metadata.name) } else { ready.remove(&node.metadata.name) };
                    }
                }
                Event::Deleted(object, _) => drop(ready.remove(&object.meta().name)),
                Event::Progress(_) => {}
            },
            () = tokio::time::sleep(LOOK) => {
                if let Some(failure) = cluster.first_failure() {
                    bail!("{failure}");
                }
                if Instant::now() >= deadline {
                    bail!("only {} of {wanted} nodes were ready after {patience:?}", ready.len());
                }
            }
        }
    }
    Ok(())
}

fn is_ready(node: &Node) -> bool {
    node.status.conditions.iter().any(|condition| condition.r#type == "Ready" && condition.status == "True")
}
