//! Finds pods that still serve after a run although they were removed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::net::TcpStream;

use squall_referee::history::{Fate, History, Subject, World};

/// The timeout for connecting to a removed pod.
const KNOCK: Duration = Duration::from_millis(500);

/// Returns an error text for each removed pod that still serves.
pub async fn zombies(history: &History, world: &World) -> Vec<String> {
    let taken: BTreeSet<&str> = world.pods().map(|pod| pod.status.pod_ip.as_str()).collect();
    let mut gone: BTreeMap<SocketAddr, String> = BTreeMap::new();
    for change in history.changes.iter().filter(|change| change.fate == Fate::Removed) {
        let Subject::Pod(pod) = &change.subject else { continue };
        let ip = pod.status.pod_ip.as_str();
        let ports = pod.spec.containers.iter().flat_map(|container| &container.ports).map(|port| port.container_port);
        // The chapter's images listen on this port without declaring it.
        for port in ports.chain([8080]).filter(|_| !taken.contains(ip)) {
            if let Ok(address) = format!("{ip}:{port}").parse() {
                gone.insert(address, pod.metadata.name.clone());
            }
        }
    }
    let knocked = gone.iter().map(|(address, pod)| async move {
        let open = tokio::time::timeout(KNOCK, TcpStream::connect(address)).await;
        matches!(open, Ok(Ok(_))).then(|| format!("the pod {pod} was removed, but something answers at {address}"))
    });
    join_all(knocked).await.into_iter().flatten().collect()
}
