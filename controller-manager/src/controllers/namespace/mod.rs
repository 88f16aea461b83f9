//! Empties namespaces that are being deleted.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use squall_api::core::v1::Namespace;
use squall_api::meta::parse_resource_version;
use squall_api::{Kind, Object};

use crate::runtime::{Action, CachedKind, Caches, Controller, Key, ObjectChange, Plan};

/// The finalizer that keeps a deleted namespace until it is empty.
const FINALIZER: &str = "squall.dev/namespace-content";
const RETRY: Duration = Duration::from_millis(200);

/// Empties namespaces.
pub struct NamespaceController;

/// A namespace and the objects in it.
pub struct Observed {
    namespace: Arc<Namespace>,
    content: Vec<Object>,
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
        let kinds = CachedKind::ALL.iter().filter(|kind| leaving && kind.info().is_namespaced());
        let objects = kinds.flat_map(|kind| caches.objects(*kind)).filter(|object| object.meta().namespace == key.name);
        let deleted = parse_resource_version(&namespace.metadata.resource_version).unwrap_or(u64::MAX);
        let kinds = CachedKind::ALL.iter().filter(|kind| kind.info().is_namespaced());
        let complete = kinds.into_iter().all(|kind| caches.reached(*kind) >= deleted);
        Some(Observed { content: objects.collect(), complete, namespace })
    }

    fn plan(&self, observed: Observed, _: Timestamp) -> Plan {
        plan(&observed)
    }
}

fn plan(observed: &Observed) -> Plan {
    let namespace = observed.namespace.as_ref();
    let held = namespace.metadata.finalizers.iter().any(|name| name == FINALIZER);
    let mut changed = namespace.clone();
    if namespace.metadata.deletion_timestamp.is_none() {
        if held {
            return Plan::default();
        }
        changed.metadata.finalizers.push(FINALIZER.to_owned());
        return Plan::of(vec![Action::Update(Box::new(changed.into()))]);
    }
    if observed.content.is_empty() {
        changed.metadata.finalizers.retain(|name| name != FINALIZER);
        if !held {
            return Plan::default();
        }
        if !observed.complete {
            return Plan { wake_after: Some(RETRY), ..Plan::default() };
        }
        // Kinds that no controller reads are not cached. They are deleted last, when no new objects can be added.
        let uncached = Kind::ALL.iter().filter(|kind| kind.info().is_namespaced() && CachedKind::of(**kind).is_none());
        let mut actions: Vec<Action> = uncached
            .map(|kind| Action::DeleteAll { kind: *kind, namespace: namespace.metadata.name.clone() })
            .collect();
        actions.push(Action::Update(Box::new(changed.into())));
        return Plan::of(actions);
    }
    let staying = observed.content.iter().filter(|object| object.meta().deletion_timestamp.is_none());
    let deletions = staying.map(|object| Action::Delete {
        kind: object.kind(),
        namespace: object.meta().namespace.clone(),
        name: object.meta().name.clone(),
        uid: object.meta().uid.clone(),
        propagation: "Background",
    });
    Plan { wake_after: Some(RETRY), ..Plan::of(deletions.collect()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_api::core::v1::Pod;
    use squall_api::metav1::v1::Time;

    #[test]
    fn a_namespace_goes_when_it_is_empty() {
        let mut namespace = Namespace::default();
        let Some(Action::Update(object)) =
            plan(&Observed { namespace: Arc::new(namespace.clone()), content: vec![], complete: true }).actions.pop()
        else {
            panic!("not held");
        };
        namespace = Namespace::try_from(*object).unwrap();
        namespace.metadata.deletion_timestamp = Some(Time { seconds: 1, nanos: 0 });
        let full =
            Observed { namespace: Arc::new(namespace.clone()), content: vec![Pod::default().into()], complete: true };
        assert!(matches!(&plan(&full).actions[..], [Action::Delete { .. }]));
        let empty = Observed { namespace: Arc::new(namespace), content: vec![], complete: true };
        let Some(Action::Update(object)) = plan(&empty).actions.pop() else { panic!("finalizer not removed") };
        assert!(object.meta().finalizers.is_empty());
    }
}
