//! Restricts a kubelet to its own node, its own Lease and the pods bound to its node (Kubernetes: the NodeRestriction
//! admission plugin).

use std::collections::{BTreeMap, BTreeSet};

use prost_types::Any;
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

/// Lets a kubelet change nothing that steers pods to its node or gives them to others: labels that the cluster's owner
/// sets, taints, owner references, and the labels of pods. Other callers pass.
pub fn restrict_node_change(
    caller: &Caller,
    resource: &ResourceRef,
    old: Option<&Object>,
    new: &Object,
) -> Result<(), Error> {
    let Some(node) = caller.node() else { return Ok(()) };
    let refuse = |detail: String| Err(Error::forbidden(resource.kind, &resource.name, &detail));
    match (new, old) {
        (Object::Node(new), old) => {
            let none = BTreeMap::new();
            let before = old.map_or(&none, |old| &old.meta().labels);
            let forbidden = forbidden_labels(before, &new.metadata.labels);
            if !forbidden.is_empty() {
                let what = if old.is_some() { "modify labels" } else { "set the following labels" };
                return refuse(format!("node {node:?} is not allowed to {what}: {}", forbidden.join(", ")));
            }
            match old {
                Some(Object::Node(old)) if old.spec.taints != new.spec.taints => {
                    refuse(format!("node {node:?} is not allowed to modify taints"))
                }
                Some(Object::Node(old)) if old.metadata.owner_references != new.metadata.owner_references => {
                    refuse(format!("node {node:?} is not allowed to modify ownerReferences"))
                }
                _ => Ok(()),
            }
        }
        (Object::Pod(new), Some(Object::Pod(old)))
            if resource.subresource == Subresource::Status && old.metadata.labels != new.metadata.labels =>
        {
            refuse(format!("node {node:?} cannot update labels through pod status"))
        }
        // Stored roles may permit a node more than its own role does.
        (Object::Pod(_), None) => {
            refuse(format!("pod does not have {MIRROR:?} annotation, node {node:?} can only create mirror pods"))
        }
        (Object::Pod(new), Some(Object::Pod(old))) if resource.subresource.is_whole() && !is_same(new, old) => {
            refuse(format!("unexpected operation \"UPDATE\", node {node:?} can only create and delete mirror pods"))
        }
        _ => Ok(()),
    }
}

/// The mark of a pod that a node's own file describes. There are none here.
const MIRROR: &str = "kubernetes.io/config.mirror";

/// Whether a pod differs from an earlier one by its deletion at most.
fn is_same(new: &Pod, old: &Pod) -> bool {
    let (meta, before) = (&new.metadata, &old.metadata);
    new.spec == old.spec
        && (&meta.labels, &meta.annotations) == (&before.labels, &before.annotations)
        && (&meta.owner_references, &meta.finalizers) == (&before.owner_references, &before.finalizers)
}

/// Labels that a kubelet may set on its own Node although they are Kubernetes' own (Kubernetes: `IsKubeletLabel`).
const KUBELET_LABELS: [&str; 12] = [
    "kubernetes.io/hostname",
    "kubernetes.io/os",
    "kubernetes.io/arch",
    "beta.kubernetes.io/os",
    "beta.kubernetes.io/arch",
    "beta.kubernetes.io/instance-type",
    "node.kubernetes.io/instance-type",
    "node.kubernetes.io/windows-build",
    "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region",
];
/// Namespaces whose labels a kubelet may set.
const KUBELET_NAMESPACES: [&str; 2] = ["kubelet.kubernetes.io", "node.kubernetes.io"];

/// Returns the labels that differ and that a kubelet may not touch.
fn forbidden_labels(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<String> {
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let changed = keys.into_iter().filter(|key| before.get(*key) != after.get(*key));
    changed.filter(|key| is_forbidden(key)).cloned().collect()
}

fn is_forbidden(label: &str) -> bool {
    let namespace = label.split_once('/').map_or("", |(namespace, _)| namespace);
    let is_in =
        |domain: &str| namespace.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    let is_own = KUBELET_LABELS.contains(&label)
        || KUBELET_NAMESPACES.iter().any(|own| namespace == *own || namespace.ends_with(&format!(".{own}")));
    is_in("node-restriction.kubernetes.io") || ((is_in("kubernetes.io") || is_in("k8s.io")) && !is_own)
}

/// Lets a kubelet list and watch only the pods of its node (Kubernetes: the node authorizer with selectors). Other callers
/// pass.
pub fn restrict_node_list(caller: &Caller, resource: &ResourceRef, fields: &str) -> Result<(), Error> {
    let Some(node) = caller.node().filter(|_| resource.kind == Kind::Pod) else { return Ok(()) };
    let is_own = |term: &str| {
        let value = term.strip_prefix("spec.nodeName=").map(|value| value.trim_start_matches('='));
        value == Some(node)
    };
    if fields.split(',').any(is_own) {
        return Ok(());
    }
    let detail = "can only list/watch pods with spec.nodeName field selector";
    Err(Error::forbidden(resource.kind, &resource.name, detail))
}

/// Lets a kubelet read only the pods of its node (Kubernetes: the node authorizer with selectors). Other callers pass.
pub fn restrict_node_get(caller: &Caller, resource: &ResourceRef, found: &Any) -> Result<(), Error> {
    let Some(node) = caller.node().filter(|_| resource.kind == Kind::Pod) else { return Ok(()) };
    match Object::from_any(found)? {
        Object::Pod(pod) if pod.spec.node_name == node => Ok(()),
        _ => Err(no_relationship(node, resource)),
    }
}

/// An object that is none of the node's business.
#[must_use]
pub fn no_relationship(node: &str, resource: &ResourceRef) -> Error {
    let detail = format!("no relationship found between node '{node}' and this object");
    Error::forbidden(resource.kind, &resource.name, &detail)
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
    use squall_api::core::v1::{ConfigMapEnvSource, Container, EnvFromSource, LocalObjectReference, Node, Taint};
    use squall_api::metav1::v1::OwnerReference;

    fn resource(kind: Kind, namespace: &str, name: &str, subresource: &str) -> ResourceRef {
        ResourceRef::object(kind, namespace, name).part(Subresource::parse(kind, None, subresource))
    }

    #[test]
    fn a_kubelet_reads_the_pods_of_its_node() {
        let node = Caller::new("system:node:node-0", &["system:nodes"]);
        let pod = resource(Kind::Pod, "default", "x", "");
        let of = |name: &str| {
            let mut pod = Pod::default();
            name.clone_into(&mut pod.spec.node_name);
            Object::from(pod).to_any()
        };
        assert!(restrict_node_get(&node, &pod, &of("node-0")).is_ok());
        assert_eq!(
            restrict_node_get(&node, &pod, &of("node-1")).unwrap_err().to_string(),
            "pods \"x\" is forbidden: no relationship found between node 'node-0' and this object"
        );
        assert!(restrict_node_get(&node, &pod, &of("")).is_err(), "not bound yet");
        assert!(restrict_node_get(&Caller::server(), &pod, &of("node-1")).is_ok());
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
    fn a_kubelet_changes_nothing_that_steers_pods() {
        let caller = Caller::new("system:node:node-0", &["system:nodes"]);
        let node = |labels: &[&str]| {
            let mut node = Node::default();
            node.metadata.labels.extend(labels.iter().map(|key| ((*key).to_owned(), "x".to_owned())));
            node
        };
        let own = resource(Kind::Node, "", "node-0", "");
        let check = |old: Option<Node>, new: Node| {
            restrict_node_change(&caller, &own, old.map(Object::from).as_ref(), &new.into())
                .map_err(|error| error.to_string())
        };
        for allowed in
            ["a", "example.com/a", "kubernetes.io/hostname", "node.kubernetes.io/a", "x.kubelet.kubernetes.io/a"]
        {
            assert_eq!(check(None, node(&[allowed])), Ok(()), "{allowed}");
            assert_eq!(check(Some(node(&[])), node(&[allowed])), Ok(()), "{allowed}");
        }
        for label in [
            "node-role.kubernetes.io/a",
            "node-restriction.kubernetes.io/a",
            "x.node-restriction.kubernetes.io/a",
            "kubernetes.io/a",
            "k8s.io/a",
            "x.k8s.io/a",
            "topology.kubernetes.io/rack",
        ] {
            let refused = |verb: &str| {
                format!("nodes \"node-0\" is forbidden: node \"node-0\" is not allowed to {verb}: {label}")
            };
            assert_eq!(check(None, node(&[label])), Err(refused("set the following labels")));
            assert_eq!(check(Some(node(&[])), node(&[label])), Err(refused("modify labels")));
            assert_eq!(check(Some(node(&[label])), node(&[])), Err(refused("modify labels")), "removed");
            assert_eq!(check(Some(node(&[label])), node(&[label])), Ok(()), "unchanged");
        }
        let mut tainted = node(&[]);
        tainted.spec.taints.push(Taint { key: "a".to_owned(), ..Taint::default() });
        assert!(check(Some(tainted.clone()), node(&[])).unwrap_err().ends_with("is not allowed to modify taints"));
        assert_eq!(check(None, tainted), Ok(()), "a kubelet registers with taints");
        let mut owned = node(&[]);
        owned.metadata.owner_references.push(OwnerReference::default());
        assert!(check(Some(node(&[])), owned).unwrap_err().ends_with("is not allowed to modify ownerReferences"));
        let mut labelled = Pod::default();
        labelled.metadata.labels.insert("app".to_owned(), "x".to_owned());
        let status = resource(Kind::Pod, "default", "x", "status");
        let relabel = restrict_node_change(&caller, &status, Some(&Pod::default().into()), &labelled.clone().into());
        assert!(relabel.unwrap_err().to_string().ends_with("cannot update labels through pod status"));
        let kept = restrict_node_change(&caller, &status, Some(&labelled.clone().into()), &labelled.into());
        assert!(kept.is_ok());
    }

    #[test]
    fn a_kubelet_lists_the_pods_of_its_node() {
        let caller = Caller::new("system:node:node-0", &["system:nodes"]);
        let pods = ResourceRef::collection(Kind::Pod, "");
        for (fields, allowed) in [
            ("spec.nodeName=node-0", true),
            ("spec.nodeName==node-0", true),
            ("status.phase=Running,spec.nodeName=node-0", true),
            ("", false),
            ("spec.nodeName=node-1", false),
            ("spec.nodeName!=node-0", false),
            ("metadata.name=x", false),
        ] {
            assert_eq!(restrict_node_list(&caller, &pods, fields).is_ok(), allowed, "{fields}");
            assert!(restrict_node_list(&Caller::server(), &pods, fields).is_ok(), "others are not kubelets");
        }
        assert!(restrict_node_list(&caller, &ResourceRef::collection(Kind::Service, ""), "").is_ok());
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
