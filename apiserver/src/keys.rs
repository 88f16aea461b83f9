//! Where objects stand in the store: `deployments.apps/default/kubia`, `nodes/node-0`.

use squall_api::Kind;

/// The key of an object.
#[must_use]
pub fn object(kind: Kind, namespace: &str, name: &str) -> String {
    format!("{}{name}", collection(kind, namespace))
}

/// What the keys of a collection start with; an empty namespace means all namespaces.
#[must_use]
pub fn collection(kind: Kind, namespace: &str) -> String {
    let plural = kind.info().plural_group();
    if namespace.is_empty() { format!("{plural}/") } else { format!("{plural}/{namespace}/") }
}

/// What the keys of fences start with.
pub const FENCES: &str = "@fence/";

/// Who was elected last under a Lease: what fenced writes are compared with.
#[must_use]
pub fn fence(namespace: &str, name: &str) -> String {
    format!("{FENCES}{namespace}/{name}")
}

/// Who has a service address.
#[must_use]
pub fn service_address(address: &str) -> String {
    format!("@service-address/{address}")
}

/// Who has a node port.
#[must_use]
pub fn node_port(port: i32) -> String {
    format!("@node-port/{port}")
}
