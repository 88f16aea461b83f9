//! The deployment controller: keeps one ReplicaSet per version of the pod template, and rolls from one to the next.
//!
//! `plan` makes the decisions in order. `rolling` and `proportional` do the arithmetic, `revision` builds and annotates
//! the new ReplicaSet, `status` computes the counts and conditions, and `history` deletes old ReplicaSets.

#[cfg(test)]
mod every_rollout;
#[cfg(test)]
mod every_scaling;
mod history;
mod plan;
mod proportional;
mod revision;
mod rolling;
mod status;
#[cfg(test)]
mod traces;
#[cfg(test)]
mod world;

use std::sync::Arc;

use jiff::Timestamp;
use squall_api::apps::v1::{Deployment, ReplicaSet};
use squall_api::labels::Selector;
use squall_api::meta;
use squall_daemon::Timing;

use crate::runtime::{CachedKind, Caches, Controller, Key, ObjectChange, Plan};

/// Rolls out Deployments.
pub struct DeploymentController {
    pub timing: Timing,
}

/// The observed state of a Deployment.
#[derive(Clone)]
pub struct Observed {
    pub deployment: Arc<Deployment>,
    /// The ReplicaSets it controls, and those without a controller in its namespace.
    pub replica_sets: Vec<Arc<ReplicaSet>>,
    /// Names of the ReplicaSets in the namespace that this Deployment does not control.
    pub taken_names: Vec<String>,
    /// Number of unfinished pods of each ReplicaSet, terminating ones included, in the order of `replica_sets`.
    pub pods: Vec<usize>,
    /// The error of the last attempt, if it failed.
    pub failure: Option<String>,
}

impl Controller for DeploymentController {
    type Observed = Observed;
    const NAME: &'static str = "deployment-controller";
    const WORKERS: usize = 5;

    fn keys(&self, change: &ObjectChange, caches: &Caches) -> Vec<Key> {
        let mut keys = Vec::new();
        for meta in change.both() {
            match change.kind {
                CachedKind::Deployment => keys.push(Key::new(&meta.namespace, &meta.name)),
                CachedKind::ReplicaSet => match meta::controller_of(meta) {
                    Some(owner) if owner.kind == "Deployment" => keys.push(Key::new(&meta.namespace, &owner.name)),
                    Some(_) => {}
                    None => keys.extend(selecting(caches, meta)),
                },
                // Recreate waits for the last old pod to be gone.
                CachedKind::Pod if change.new.is_none() => keys.extend(owner_of_pod(caches, meta)),
                _ => {}
            }
        }
        keys.dedup();
        keys
    }

    fn all_keys(&self, caches: &Caches) -> Vec<Key> {
        caches.deployments.all().iter().map(|d| Key::new(&d.metadata.namespace, &d.metadata.name)).collect()
    }

    fn observe(&self, caches: &Caches, key: &Key, failure: Option<&str>) -> Option<Observed> {
        let deployment = caches.deployments.get(&key.namespace, &key.name)?;
        let mut replica_sets = caches.replica_sets.controlled_by(&deployment.metadata.uid);
        let orphans = caches.replica_sets.controlled_by("");
        replica_sets.extend(orphans.into_iter().filter(|rs| rs.metadata.namespace == key.namespace));
        let in_namespace = caches.replica_sets.in_namespace(&key.namespace);
        let others = in_namespace
            .iter()
            .filter(|rs| meta::controller_of(&rs.metadata).is_none_or(|o| o.uid != deployment.metadata.uid));
        let pods = replica_sets.iter().map(|rs| {
            let pods = caches.pods.controlled_by(&rs.metadata.uid);
            pods.iter().filter(|pod| !squall_api::kinds::is_pod_terminal(pod)).count()
        });
        Some(Observed {
            pods: pods.collect(),
            taken_names: others.map(|rs| rs.metadata.name.clone()).collect(),
            failure: failure.map(str::to_owned),
            deployment,
            replica_sets,
        })
    }

    fn plan(&self, observed: Observed, now: Timestamp) -> Plan {
        plan::plan(&observed, &self.timing, now)
    }
}

fn selecting(caches: &Caches, meta: &squall_api::metav1::v1::ObjectMeta) -> Vec<Key> {
    let selects = |deployment: &Deployment| {
        Selector::from_label_selector(deployment.spec.selector.as_ref())
            .is_some_and(|selector| selector.matches(&meta.labels))
    };
    let deployments = caches.deployments.in_namespace(&meta.namespace);
    deployments.iter().filter(|d| selects(d)).map(|d| Key::new(&d.metadata.namespace, &d.metadata.name)).collect()
}

fn owner_of_pod(caches: &Caches, pod: &squall_api::metav1::v1::ObjectMeta) -> Option<Key> {
    let set = meta::controller_of(pod).filter(|owner| owner.kind == "ReplicaSet")?;
    let set = caches.replica_sets.get(&pod.namespace, &set.name)?;
    let deployment = meta::controller_of(&set.metadata)?;
    Some(Key::new(&pod.namespace, &deployment.name))
}
