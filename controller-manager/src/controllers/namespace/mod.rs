//! Empties namespaces that are being deleted, and reports what keeps them.

mod conditions;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use squall_api::core::v1::Namespace;
use squall_api::kinds::NAMESPACE_CONTENT;
use squall_api::meta::parse_resource_version;
use squall_api::{Kind, Object};

use crate::runtime::{Action, CachedKind, Caches, Controller, Key, ObjectChange, Plan};

/// The finalizer in the metadata of namespaces that an earlier version stored, which has the same meaning.
const EARLIER: &str = "squall.dev/namespace-content";
const RETRY: Duration = Duration::from_millis(200);

/// Empties namespaces.
pub struct NamespaceController;

/// A namespace and the objects in it.
pub struct Observed {
    namespace: Arc<Namespace>,
    content: Vec<Object>,
    /// The kinds that users have defined, whose objects are in namespaces.
    customs: Vec<Kind>,
    /// Whether the caches of all kinds have reached the revision at which the namespace was deleted.
    complete: bool,
}

impl Controller for NamespaceController {
    type Observed = Observed;
    const NAME: &'static str = "namespace-controller";

    fn keys(&self, change: &ObjectChange, _: &Caches) -> Vec<Key> {
        let new = change.new.as_ref().filter(|_| change.kind == CachedKind::Namespace);
        new.map(|meta| Key::new("", &meta.name)).into_iter().collect()
    }

    fn all_keys(&self, caches: &Caches) -> Vec<Key> {
        caches.namespaces.all().iter().map(|namespace| Key::new("", &namespace.metadata.name)).collect()
    }

    fn observe(&self, caches: &Caches, key: &Key, _: Option<&str>) -> Option<Observed> {
        let namespace = caches.namespaces.get("", &key.name)?;
        let leaving = namespace.metadata.deletion_timestamp.is_some();
        let all: Vec<CachedKind> = caches.kinds().into_iter().filter(|kind| kind.info().is_namespaced()).collect();
        let kinds = all.iter().filter(|_| leaving);
        let objects = kinds.flat_map(|kind| caches.objects(*kind)).filter(|object| object.meta().namespace == key.name);
        let deleted = parse_resource_version(&namespace.metadata.resource_version).unwrap_or(u64::MAX);
        // A kind that was defined before may have objects here.
        let needed = all.iter().chain([&CachedKind::CustomResourceDefinition]);
        let complete = needed.into_iter().all(|kind| caches.reached(*kind) >= deleted);
        let customs = caches.customs.kinds().into_iter().filter(|kind| kind.info().is_namespaced()).map(Kind::Custom);
        Some(Observed { content: objects.collect(), customs: customs.collect(), complete, namespace })
    }

    fn plan(&self, observed: Observed, now: Timestamp) -> Plan {
        plan(&observed, now)
    }
}

fn plan(observed: &Observed, now: Timestamp) -> Plan {
    let namespace = observed.namespace.as_ref();
    let is_held = namespace.spec.finalizers.iter().any(|name| name == NAMESPACE_CONTENT);
    let was_held = namespace.metadata.finalizers.iter().any(|name| name == EARLIER);
    if namespace.metadata.deletion_timestamp.is_none() {
        if is_held {
            return Plan::default();
        }
        // An earlier version stored it.
        let mut changed = namespace.clone();
        changed.spec.finalizers.push(NAMESPACE_CONTENT.to_owned());
        return Plan::of(vec![Action::Finalize(Box::new(changed.into()))]);
    }
    if !is_held && !was_held {
        return Plan::default();
    }
    if !observed.content.is_empty() {
        return empty(observed, now);
    }
    if !observed.complete {
        return Plan { wake_after: Some(RETRY), ..Plan::default() };
    }
    // Kinds that no controller reads are not cached. They are deleted last, when no new objects can be added.
    // So are the objects of users' kinds, whose owners may need what was there.
    let uncached = Kind::ALL.iter().filter(|kind| kind.info().is_namespaced() && CachedKind::of(**kind).is_none());
    let uncached = observed.customs.iter().chain(uncached);
    let name = &namespace.metadata.name;
    let mut actions: Vec<Action> =
        uncached.map(|kind| Action::DeleteAll { kind: *kind, namespace: name.clone() }).collect();
    let mut changed = namespace.clone();
    if was_held {
        changed.metadata.finalizers.retain(|name| name != EARLIER);
        actions.push(Action::Update(Box::new(changed.into())));
    } else {
        changed.spec.finalizers.retain(|name| name != NAMESPACE_CONTENT);
        actions.push(Action::Finalize(Box::new(changed.into())));
    }
    Plan::of(actions)
}

/// Deletes the content, and reports what was deleted before and is still there.
fn empty(observed: &Observed, now: Timestamp) -> Plan {
    let (leaving, staying): (Vec<Object>, Vec<Object>) =
        observed.content.iter().cloned().partition(|object| object.meta().deletion_timestamp.is_some());
    // Kubernetes: the pods go first, so that none of them misses what it needs.
    let is_pod = |object: &Object| object.kind() == Kind::Pod;
    let has_pods = observed.content.iter().any(is_pod);
    let mut actions: Vec<Action> = staying
        .iter()
        .filter(|object| !has_pods || is_pod(object))
        .map(|object| Action::Delete {
            kind: object.kind(),
            namespace: object.meta().namespace.clone(),
            name: object.meta().name.clone(),
            uid: object.meta().uid.clone(),
            propagation: "Background",
        })
        .collect();
    if !leaving.is_empty() {
        let mut changed = observed.namespace.as_ref().clone();
        changed.status.conditions = conditions::conditions(&changed.status.conditions, &leaving, now);
        if changed.status != observed.namespace.status {
            actions.push(Action::UpdateStatus(Box::new(changed.into())));
        }
    }
    Plan { wake_after: Some(RETRY), ..Plan::of(actions) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_api::core::v1::{ConfigMap, Pod};
    use squall_api::metav1::v1::Time;

    const GONE: Option<Time> = Some(Time { seconds: 1, nanos: 0 });

    fn actions(namespace: &Namespace, content: &[&ConfigMap]) -> Vec<Action> {
        let content = content.iter().map(|map| Object::from((*map).clone())).collect();
        plan(
            &Observed { namespace: Arc::new(namespace.clone()), content, customs: Vec::new(), complete: true },
            Timestamp::UNIX_EPOCH,
        )
        .actions
    }

    fn stored(action: Option<&Action>) -> Namespace {
        let Some(Action::Finalize(object) | Action::Update(object) | Action::UpdateStatus(object)) = action else {
            panic!("{action:?}");
        };
        Namespace::try_from((**object).clone()).unwrap()
    }

    fn held() -> Namespace {
        let mut namespace = Namespace::default();
        namespace.spec.finalizers.push(NAMESPACE_CONTENT.to_owned());
        namespace
    }

    #[test]
    fn a_namespace_goes_when_it_is_empty() {
        let mut namespace = held();
        assert!(actions(&namespace, &[]).is_empty());
        namespace.metadata.deletion_timestamp = GONE;
        let mut map = ConfigMap::default();
        assert!(matches!(&actions(&namespace, &[&map])[..], [Action::Delete { .. }]));
        map.metadata.deletion_timestamp = GONE;
        let told = stored(actions(&namespace, &[&map]).first());
        assert_eq!(told.status.conditions.len(), 5);
        assert!(actions(&told, &[&map]).is_empty(), "told once");
        let empty = actions(&namespace, &[]);
        assert!(matches!(empty[..], [Action::DeleteAll { kind: Kind::Event, .. }, Action::Finalize(_)]));
        assert!(stored(empty.last()).spec.finalizers.is_empty());
        namespace.spec.finalizers = vec!["other".to_owned()];
        assert!(actions(&namespace, &[]).is_empty(), "another controller's work is not done");
    }

    #[test]
    fn pods_go_before_what_they_need() {
        let mut namespace = held();
        namespace.metadata.deletion_timestamp = GONE;
        let kinds = |content: Vec<Object>| -> Vec<Kind> {
            let observed =
                Observed { namespace: Arc::new(namespace.clone()), content, customs: Vec::new(), complete: true };
            let actions = plan(&observed, Timestamp::UNIX_EPOCH).actions;
            let kind = |action: &Action| match action {
                Action::Delete { kind, .. } => Some(*kind),
                _ => None,
            };
            actions.iter().filter_map(kind).collect()
        };
        let (mut pod, map) = (Pod::default(), ConfigMap::default());
        assert_eq!(kinds(vec![map.clone().into(), pod.clone().into()]), [Kind::Pod]);
        pod.metadata.deletion_timestamp = GONE;
        assert_eq!(kinds(vec![map.clone().into(), pod.into()]), []);
        assert_eq!(kinds(vec![map.into()]), [Kind::ConfigMap]);
    }

    #[test]
    fn a_namespace_of_an_earlier_version_is_held_too() {
        let mut namespace = Namespace::default();
        assert_eq!(stored(actions(&namespace, &[]).first()).spec.finalizers, [NAMESPACE_CONTENT]);
        namespace.metadata.finalizers.push(EARLIER.to_owned());
        namespace.metadata.deletion_timestamp = GONE;
        assert!(stored(actions(&namespace, &[]).last()).metadata.finalizers.is_empty());
    }
}
