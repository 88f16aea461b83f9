//! Finds the address of a service.

use std::net::SocketAddr;

use squall_api::core::v1::{Node, Service};
use squall_client::{Api, Client, TimedOut, wait_for};

use crate::traffic;

/// Waits until the service answers, and returns its external address, or a node's port if port 80 cannot be bound.
pub async fn address(client: &Client, namespace: &str, name: &str) -> Result<SocketAddr, TimedOut> {
    let services: Api<Service> = Api::new(client.clone(), namespace);
    wait_for("the service to answer", || async {
        let service = services.get(name).await.map_err(|error| error.to_string())?;
        let nodes: Vec<Node> =
            Api::new(client.clone(), "").list("", "").await.map_err(|error: squall_client::Error| error.to_string())?;
        let mut tried = Vec::new();
        for address in addresses(&service, &nodes) {
            match traffic::get(address).await {
                Ok(_) => return Ok(address),
                Err(error) => tried.push(format!("{address}: {error:#}")),
            }
        }
        Err(tried.join("; "))
    })
    .await
}

fn addresses(service: &Service, nodes: &[Node]) -> Vec<SocketAddr> {
    let Some(port) = service.spec.ports.first() else { return Vec::new() };
    let external = service.status.load_balancer.ingress.iter().map(|ingress| format!("{}:{}", ingress.ip, port.port));
    let of_node =
        |node: &Node| node.status.addresses.iter().find(|a| a.r#type == "InternalIP").map(|a| a.address.clone());
    let node_ports = nodes.iter().filter_map(of_node).map(|address| format!("{address}:{}", port.node_port));
    external.chain(node_ports).filter_map(|address| address.parse().ok()).collect()
}
