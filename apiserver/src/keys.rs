//! The keys of the store: `deployments.apps/default/kubia`, `nodes/node-0`.

use squall_api::kinds::CustomObject;
use squall_api::{Kind, Object, Scope, names};

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

/// Prefix of the keys that record who owns an address.
const SERVICE_ADDRESSES: &str = "@service-address/";
/// Prefix of the keys that record who owns a node port.
const NODE_PORTS: &str = "@node-port/";

/// Returns the key that records who was last elected under a Lease. Fenced writes compare it.
#[must_use]
pub fn fence(namespace: &str, name: &str) -> String {
    format!("{FENCES}{namespace}/{name}")
}

/// Returns the key that records which service owns an address.
#[must_use]
pub fn service_address(address: &str) -> String {
    format!("{SERVICE_ADDRESSES}{address}")
}

/// Returns the key that records which service owns a node port.
#[must_use]
pub fn node_port(port: i32) -> String {
    format!("{NODE_PORTS}{port}")
}

/// Checks that the store's readers can read a value under a key; `None` is a deletion.
pub fn check(key: &str, value: Option<&[u8]>) -> Result<(), String> {
    if [FENCES, SERVICE_ADDRESSES, NODE_PORTS].iter().any(|prefix| key.len() > prefix.len() && key.starts_with(prefix))
    {
        return Ok(());
    }
    let (plural, rest) = key.split_once('/').ok_or("it is no key of the store")?;
    let Some(kind) = Kind::ALL.iter().copied().find(|kind| kind.info().plural_group() == plural) else {
        return check_custom(plural, rest, value);
    };
    let parts = rest.split('/').filter(|part| !part.is_empty()).count();
    let wanted = match kind.info().scope {
        Scope::Namespaced => 2,
        Scope::Cluster => 1,
    };
    if parts != wanted || rest.split('/').count() != wanted {
        return Err("it does not name one object".to_owned());
    }
    match value.map(|value| Object::decode(kind, value)) {
        Some(Err(error)) => Err(format!("its value cannot be read: {error}")),
        Some(Ok(found)) if object(kind, &found.meta().namespace, &found.meta().name) != key => {
            Err("its value is another object".to_owned())
        }
        Some(Ok(_)) | None => Ok(()),
    }
}

/// Checks an object of a custom kind, whatever its definition says.
fn check_custom(plural: &str, rest: &str, value: Option<&[u8]>) -> Result<(), String> {
    let (plural, group) = plural.split_once('.').filter(|(_, group)| group.contains('.')).ok_or("it is of no kind")?;
    if !names::dns1035_label(plural).is_empty() || !names::dns1123_subdomain(group).is_empty() {
        return Err("it is of no kind".to_owned());
    }
    let (namespace, name) = rest.split_once('/').unwrap_or(("", rest));
    if name.is_empty() || name.contains('/') || (namespace.is_empty() && rest.contains('/')) {
        return Err("it does not name one object".to_owned());
    }
    let Some(value) = value else { return Ok(()) };
    let found = CustomObject::metadata_of(value).map_err(|problem| format!("its value cannot be read: {problem}"))?;
    if found.namespace != namespace || found.name != name {
        return Err("its value is another object".to_owned());
    }
    Ok(())
}
