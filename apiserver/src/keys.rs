//! The keys of the store: `deployments.apps/default/kubia`, `nodes/node-0`.

use squall_api::Kind;

/// Returns the key of an object.
#[must_use]
pub fn object(kind: Kind, namespace: &str, name: &str) -> String {
    format!("{}{name}", collection(kind, namespace))
}

/// Returns the key prefix of a collection; an empty namespace means all namespaces.
#[must_use]
pub fn collection(kind: Kind, namespace: &str) -> String {
    let plural = kind.info().plural_group();
    if namespace.is_empty() { format!("{plural}/") } else { format!("{plural}/{namespace}/") }
}

/// Prefix of all fence keys.
pub const FENCES: &str = "@fence/";

/// Returns the key that records who was last elected under a Lease. Fenced writes compare it.
#[must_use]
pub fn fence(namespace: &str, name: &str) -> String {
    format!("{FENCES}{namespace}/{name}")
}

/// Returns the key that records which service owns an address.
#[must_use]
pub fn service_address(address: &str) -> String {
    format!("@service-address/{address}")
}

/// Returns the key that records which service owns a node port.
#[must_use]
pub fn node_port(port: i32) -> String {
    format!("@node-port/{port}")
}
