//! Restricts a kubelet to its own node, its own Lease and the pods bound to its node (Kubernetes: the NodeRestriction
//! admission plugin).

use squall_api::config_source::config_sources;
use squall_api::core::v1::Pod;
use squall_api::{Error, Kind, Object};
use squall_daemon::identity::Caller;

use crate::request::{ResourceRef, Subresource};

const LEASES: &str = "kube-node-lease";

/// Lets a kubelet use only its own objects. Other callers pass. `old` is the stored object, if any.
pub fn restrict_node(caller: &Caller, resource: &ResourceRef, old: Option<&Object>) -> Result<(), Error> {
    let Some(node) = caller.node() else { return Ok(()) };
    let refuse = |detail: &str| Err(Error::forbidden(resource.kind, &resource.name, detail));
    match (resource.kind, old) {
        (Kind::Node, _) if resource.name != node => {
            refuse(&format!("node {node:?} is not allowed to modify node {:?}", resource.name))
        }
        (Kind::Lease, _) if resource.namespace != LEASES => {
            refuse(&format!("can only access leases in the {LEASES:?} system namespace"))
        }
        (Kind::Lease, _) if resource.name != node => {
            refuse("can only access node lease with the same name as the requesting node")
        }
        (Kind::Pod, Some(Object::Pod(pod))) if pod.spec.node_name != node => {
            let what = if resource.subresource == Subresource::Status { "update pod status for" } else { "delete" };
            refuse(&format!("node {node:?} can only {what} pods with spec.nodeName set to itself"))
        }
        _ => Ok(()),
    }
}

/// Whether the pod reads from this config map or secret.
#[must_use]
pub fn reads_from(pod: &Pod, resource: &ResourceRef) -> bool {
    let is_secret = resource.kind == Kind::Secret;
    let containers = pod.spec.init_containers.iter().chain(&pod.spec.containers);
    let mut sources = containers.flat_map(|container| config_sources(pod, container));
    sources.any(|source| (source.is_secret, source.name) == (is_secret, resource.name.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_api::core::v1::{ConfigMapEnvSource, Container, EnvFromSource, LocalObjectReference};

    fn resource(kind: Kind, namespace: &str, name: &str, subresource: &str) -> ResourceRef {
        ResourceRef::object(kind, namespace, name).part(Subresource::parse(kind, subresource))
    }

    #[test]
    fn a_kubelet_touches_only_what_is_its_own() {
        let node = Caller::new("system:node:node-0", &["system:nodes"]);
        let mut pod = Pod::default();
        pod.spec.node_name = "node-1".to_owned();
        let (other, mine) = (Object::from(pod), {
            let mut pod = Pod::default();
            pod.spec.node_name = "node-0".to_owned();
            Object::from(pod)
        });
        let check = |resource: &ResourceRef, old: Option<&Object>| {
            restrict_node(&node, resource, old).map_err(|error| error.to_string())
        };
        let status = resource(Kind::Pod, "default", "x", "status");
        assert_eq!(check(&status, Some(&mine)), Ok(()));
        assert_eq!(
            check(&status, Some(&other)),
            Err("pods \"x\" is forbidden: node \"node-0\" can only update pod status for pods with spec.nodeName set to itself"
                .to_owned())
        );
        assert!(check(&resource(Kind::Pod, "default", "x", ""), Some(&other)).is_err());
        assert_eq!(
            check(&resource(Kind::Node, "", "node-1", "status"), None),
            Err("nodes \"node-1\" is forbidden: node \"node-0\" is not allowed to modify node \"node-1\"".to_owned())
        );
        assert_eq!(check(&resource(Kind::Node, "", "node-0", ""), None), Ok(()));
        assert!(check(&resource(Kind::Lease, "kube-system", "node-0", ""), None).is_err());
        assert!(check(&resource(Kind::Lease, LEASES, "node-1", ""), None).is_err());
        assert_eq!(check(&resource(Kind::Lease, LEASES, "node-0", ""), None), Ok(()));
        assert!(restrict_node(&Caller::server(), &status, Some(&other)).is_ok(), "others are not kubelets");
    }

    #[test]
    fn a_kubelet_reads_what_its_pods_read() {
        let mut pod = Pod::default();
        let from = ConfigMapEnvSource { local_object_reference: named("settings"), optional: Some(true) };
        let env_from = vec![EnvFromSource { config_map_ref: Some(from), ..EnvFromSource::default() }];
        pod.spec.init_containers.push(Container { env_from, ..Container::default() });
        assert!(reads_from(&pod, &resource(Kind::ConfigMap, "default", "settings", "")));
        assert!(!reads_from(&pod, &resource(Kind::ConfigMap, "default", "others", "")));
        assert!(!reads_from(&pod, &resource(Kind::Secret, "default", "settings", "")));
    }

    fn named(name: &str) -> LocalObjectReference {
        LocalObjectReference { name: name.to_owned() }
    }
}
