//! Keeps the requested number of pods for ReplicaSets and ReplicationControllers, with one algorithm for both kinds.

mod availability;
mod plan;
mod ranking;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use squall_api::apps::v1::ReplicaSet;
use squall_api::core::v1::{Pod, PodTemplateSpec, ReplicationController, ReplicationControllerCondition};
use squall_api::happening::ObjectId;
use squall_api::labels::Selector;
use squall_api::metav1::v1::{ObjectMeta, Time};
use squall_api::{Kind, Object, Resource, meta};
use squall_daemon::Timing;

use availability::Seen;

use crate::runtime::{CachedKind, Caches, Controller, Key, ObjectChange, Plan};

/// Creates and deletes the pods of ReplicaSets.
pub struct ReplicaSetController {
    timing: Timing,
    seen: Seen,
}

/// Creates and deletes the pods of ReplicationControllers.
pub struct ReplicationControllerController {
    timing: Timing,
    seen: Seen,
}

impl ReplicaSetController {
    /// Creates a controller that has seen no pod yet.
    pub fn new(timing: Timing) -> Self {
        Self { timing, seen: Seen::default() }
    }
}

impl ReplicationControllerController {
    /// Creates a controller that has seen no pod yet.
    pub fn new(timing: Timing) -> Self {
        Self { timing, seen: Seen::default() }
    }
}

/// An owner of either kind, as the algorithm sees it.
#[derive(Clone)]
pub struct Owner {
    pub meta: ObjectMeta,
    pub id: ObjectId,
    pub reference: squall_api::metav1::v1::OwnerReference,
    pub replicas: i32,
    pub min_ready_seconds: i32,
    pub selector: Selector,
    pub template: PodTemplateSpec,
    pub status: Counts,
    pub observed_generation: i64,
    pub failure: Option<Failure>,
}

/// The replica counts in the status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    pub replicas: i32,
    pub fully_labeled: i32,
    pub ready: i32,
    pub available: i32,
    pub terminating: Option<i32>,
}

/// A failure to create or delete pods, as the ReplicaFailure condition reports it.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    pub reason: String,
    pub message: String,
    pub since: Time,
}

/// The observed state of an owner.
pub struct Observed {
    pub owner: Owner,
    /// Its own pods, and those without a controller in its namespace.
    pub pods: Vec<Arc<Pod>>,
    /// By uid: how long each pod that we saw become ready has been ready, by our own clock.
    pub ready_for: HashMap<String, Duration>,
    /// Number of active pods on each node, over all ReplicaSets with the same controller.
    pub related_on_node: HashMap<String, usize>,
    /// The error of the last attempt, if it failed.
    pub failure: Option<String>,
    /// Returns a copy of the object with this status.
    pub with_status: Box<dyn Fn(Counts, Option<Failure>) -> Object + Send>,
}

/// A kind that the algorithm handles.
trait Replicated: Resource {
    fn owner(&self) -> Option<Owner>;
    fn with_status(&self, counts: Counts, failure: Option<Failure>) -> Self;
}

impl Replicated for ReplicaSet {
    fn owner(&self) -> Option<Owner> {
        let status = &self.status;
        let failure = status.conditions.iter().find(|condition| condition.r#type == "ReplicaFailure");
        Some(Owner {
            meta: self.metadata.clone(),
            id: ObjectId::of(self),
            reference: meta::controller_reference(self),
            replicas: self.spec.replicas.unwrap_or(1),
            min_ready_seconds: self.spec.min_ready_seconds,
            selector: Selector::from_label_selector(self.spec.selector.as_ref())?,
            template: self.spec.template.clone(),
            status: Counts {
                replicas: status.replicas,
                fully_labeled: status.fully_labeled_replicas,
                ready: status.ready_replicas,
                available: status.available_replicas,
                terminating: status.terminating_replicas,
            },
            observed_generation: status.observed_generation,
            failure: failure.map(|c| Failure {
                reason: c.reason.clone(),
                message: c.message.clone(),
                since: c.last_transition_time,
            }),
        })
    }

    fn with_status(&self, counts: Counts, failure: Option<Failure>) -> Self {
        let mut changed = self.clone();
        let status = &mut changed.status;
        status.replicas = counts.replicas;
        status.fully_labeled_replicas = counts.fully_labeled;
        status.ready_replicas = counts.ready;
        status.available_replicas = counts.available;
        status.terminating_replicas = counts.terminating;
        status.observed_generation = self.metadata.generation;
        status.conditions.retain(|condition| condition.r#type != "ReplicaFailure");
        status.conditions.extend(failure.map(|failure| squall_api::apps::v1::ReplicaSetCondition {
            r#type: "ReplicaFailure".to_owned(),
            status: "True".to_owned(),
            reason: failure.reason,
            message: failure.message,
            last_transition_time: failure.since,
        }));
        changed
    }
}

impl Replicated for ReplicationController {
    fn owner(&self) -> Option<Owner> {
        let status = &self.status;
        let failure = status.conditions.iter().find(|condition| condition.r#type == "ReplicaFailure");
        Some(Owner {
            meta: self.metadata.clone(),
            id: ObjectId::of(self),
            reference: meta::controller_reference(self),
            replicas: self.spec.replicas.unwrap_or(1),
            min_ready_seconds: self.spec.min_ready_seconds,
            selector: Selector::from_map(&self.spec.selector),
            template: self.spec.template.clone()?,
            status: Counts {
                replicas: status.replicas,
                fully_labeled: status.fully_labeled_replicas,
                ready: status.ready_replicas,
                available: status.available_replicas,
                terminating: None,
            },
            observed_generation: status.observed_generation,
            failure: failure.map(|c| Failure {
                reason: c.reason.clone(),
                message: c.message.clone(),
                since: c.last_transition_time,
            }),
        })
    }

    fn with_status(&self, counts: Counts, failure: Option<Failure>) -> Self {
        let mut changed = self.clone();
        let status = &mut changed.status;
        status.replicas = counts.replicas;
        status.fully_labeled_replicas = counts.fully_labeled;
        status.ready_replicas = counts.ready;
        status.available_replicas = counts.available;
        status.observed_generation = self.metadata.generation;
        status.conditions.retain(|condition| condition.r#type != "ReplicaFailure");
        status.conditions.extend(failure.map(|failure| ReplicationControllerCondition {
            r#type: "ReplicaFailure".to_owned(),
            status: "True".to_owned(),
            reason: failure.reason,
            message: failure.message,
            last_transition_time: failure.since,
        }));
        changed
    }
}

impl Controller for ReplicaSetController {
    type Observed = Observed;
    const NAME: &'static str = "replicaset-controller";
    const WORKERS: usize = 5;

    fn keys(&self, change: &ObjectChange, caches: &Caches) -> Vec<Key> {
        keys::<ReplicaSet>(change, &caches.replica_sets)
    }

    fn all_keys(&self, caches: &Caches) -> Vec<Key> {
        caches.replica_sets.all().iter().map(|set| Key::new(&set.metadata.namespace, &set.metadata.name)).collect()
    }

    fn observe(&self, caches: &Caches, key: &Key, failure: Option<&str>) -> Option<Observed> {
        observe(caches.replica_sets.get(&key.namespace, &key.name), key, caches, &self.seen, failure)
    }

    fn plan(&self, observed: Observed, now: Timestamp) -> Plan {
        plan::plan(&observed, &self.timing, now)
    }
}

impl Controller for ReplicationControllerController {
    type Observed = Observed;
    const NAME: &'static str = "replication-controller";
    const WORKERS: usize = 5;

    fn keys(&self, change: &ObjectChange, caches: &Caches) -> Vec<Key> {
        keys::<ReplicationController>(change, &caches.replication_controllers)
    }

    fn all_keys(&self, caches: &Caches) -> Vec<Key> {
        caches
            .replication_controllers
            .all()
            .iter()
            .map(|rc| Key::new(&rc.metadata.namespace, &rc.metadata.name))
            .collect()
    }

    fn observe(&self, caches: &Caches, key: &Key, failure: Option<&str>) -> Option<Observed> {
        observe(caches.replication_controllers.get(&key.namespace, &key.name), key, caches, &self.seen, failure)
    }

    fn plan(&self, observed: Observed, now: Timestamp) -> Plan {
        plan::plan(&observed, &self.timing, now)
    }
}

fn keys<K>(change: &ObjectChange, owners: &squall_client::Cache<K>) -> Vec<Key>
where
    K: Replicated + TryFrom<Object, Error = Kind> + Send + Sync,
{
    let mut keys = Vec::new();
    for meta in change.both() {
        match change.kind {
            kind if kind.kind() == K::KIND => keys.push(Key::new(&meta.namespace, &meta.name)),
            CachedKind::Pod => match meta::controller_of(meta) {
                Some(owner) if owner.kind == K::INFO.kind => keys.push(Key::new(&meta.namespace, &owner.name)),
                Some(_) => {}
                None => {
                    let selects =
                        |owner: &&Arc<K>| owner.owner().is_some_and(|owner| owner.selector.matches(&meta.labels));
                    let in_namespace = owners.in_namespace(&meta.namespace);
                    keys.extend(
                        in_namespace.iter().filter(selects).map(|owner| Key::new(&meta.namespace, &owner.meta().name)),
                    );
                }
            },
            _ => {}
        }
    }
    keys.dedup();
    keys
}

fn observe<K>(
    object: Option<Arc<K>>,
    key: &Key,
    caches: &Caches,
    seen: &Seen,
    failure: Option<&str>,
) -> Option<Observed>
where
    K: Replicated + Send + Sync,
    Object: From<K>,
{
    let Some(object) = object else {
        seen.forget(key);
        return None;
    };
    let owner = object.owner()?;
    let mut pods = caches.pods.controlled_by(&owner.meta.uid);
    let orphans = caches.pods.controlled_by("");
    pods.extend(orphans.into_iter().filter(|pod| pod.metadata.namespace == owner.meta.namespace));
    let mut related_on_node = HashMap::new();
    // The placement of pods matters only if some have to be deleted.
    let surplus = pods.len() > usize::try_from(owner.replicas).unwrap_or(0);
    if let Some(grand) = meta::controller_of(&owner.meta).filter(|_| surplus) {
        for set in caches.replica_sets.controlled_by(&grand.uid) {
            for pod in
                caches.pods.controlled_by(&set.metadata.uid).iter().filter(|pod| squall_api::kinds::is_pod_active(pod))
            {
                let related = related_on_node.entry(pod.spec.node_name.clone()).or_default();
                *related = usize::saturating_add(*related, 1);
            }
        }
    }
    let with_status = Box::new(move |counts, failure| Object::from(object.with_status(counts, failure)));
    let ready_for = seen.look(key, pods.iter().map(AsRef::as_ref));
    Some(Observed { owner, pods, ready_for, related_on_node, failure: failure.map(str::to_owned), with_status })
}
