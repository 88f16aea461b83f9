//! The state of the store at one revision.

use std::collections::BTreeMap;

use squall_api::apps::v1::{Deployment, ReplicaSet};
use squall_api::coordination::v1::Lease;
use squall_api::core::v1::{Event, Pod, ReplicationController, Service};
use squall_api::discovery::v1::{Endpoint, EndpointSlice};
use squall_api::kinds::{is_pod_active, is_pod_ready};
use squall_api::meta;

use super::{Change, Fate, Subject};

/// The label of a slice with the name of its service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// All recorded objects, by uid.
#[derive(Debug, Clone, Default)]
pub struct World {
    deployments: BTreeMap<String, Box<Deployment>>,
    replica_sets: BTreeMap<String, Box<ReplicaSet>>,
    pods: BTreeMap<String, Box<Pod>>,
    controllers: BTreeMap<String, Box<ReplicationController>>,
    services: BTreeMap<String, Box<Service>>,
    slices: BTreeMap<String, Box<EndpointSlice>>,
    leases: BTreeMap<String, Box<Lease>>,
    events: BTreeMap<String, Box<Event>>,
}

impl World {
    /// Applies a change; returns the object before it.
    pub fn apply(&mut self, change: &Change) -> Option<Subject> {
        match &change.subject {
            Subject::Deployment(new) => {
                put(&mut self.deployments, &new.metadata.uid, new, change.fate).map(Subject::Deployment)
            }
            Subject::ReplicaSet(new) => {
                put(&mut self.replica_sets, &new.metadata.uid, new, change.fate).map(Subject::ReplicaSet)
            }
            Subject::Pod(new) => put(&mut self.pods, &new.metadata.uid, new, change.fate).map(Subject::Pod),
            Subject::ReplicationController(new) => {
                put(&mut self.controllers, &new.metadata.uid, new, change.fate).map(Subject::ReplicationController)
            }
            Subject::Service(new) => put(&mut self.services, &new.metadata.uid, new, change.fate).map(Subject::Service),
            Subject::EndpointSlice(new) => {
                put(&mut self.slices, &new.metadata.uid, new, change.fate).map(Subject::EndpointSlice)
            }
            Subject::Lease(new) => put(&mut self.leases, &new.metadata.uid, new, change.fate).map(Subject::Lease),
            Subject::Event(new) => put(&mut self.events, &new.metadata.uid, new, change.fate).map(Subject::Event),
        }
    }

    /// Returns all Deployments.
    pub fn deployments(&self) -> impl Iterator<Item = &Deployment> {
        self.deployments.values().map(Box::as_ref)
    }

    /// Returns all ReplicaSets.
    pub fn replica_sets(&self) -> impl Iterator<Item = &ReplicaSet> {
        self.replica_sets.values().map(Box::as_ref)
    }

    /// Returns all ReplicationControllers.
    pub fn controllers(&self) -> impl Iterator<Item = &ReplicationController> {
        self.controllers.values().map(Box::as_ref)
    }

    /// Returns a service.
    #[must_use]
    pub fn service(&self, namespace: &str, name: &str) -> Option<&Service> {
        let mut services = self.services.values().map(Box::as_ref);
        services.find(|service| service.metadata.namespace == namespace && service.metadata.name == name)
    }

    /// Returns the endpoints of a service in all its slices.
    pub fn endpoints_of<'a>(&'a self, namespace: &'a str, service: &'a str) -> impl Iterator<Item = &'a Endpoint> {
        let is_of = move |slice: &&EndpointSlice| {
            let name = slice.metadata.labels.get(SERVICE_NAME).map(String::as_str);
            slice.metadata.namespace == namespace && name == Some(service)
        };
        self.slices().filter(is_of).flat_map(|slice| &slice.endpoints)
    }

    /// Returns all endpoint slices.
    pub fn slices(&self) -> impl Iterator<Item = &EndpointSlice> {
        self.slices.values().map(Box::as_ref)
    }

    /// Returns all events.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.events.values().map(Box::as_ref)
    }

    /// Returns the Leases of all elections.
    pub fn leases(&self) -> impl Iterator<Item = &Lease> {
        self.leases.values().map(Box::as_ref)
    }

    /// Returns the Lease of an election.
    #[must_use]
    pub fn lease(&self, namespace: &str, name: &str) -> Option<&Lease> {
        self.leases().find(|lease| lease.metadata.namespace == namespace && lease.metadata.name == name)
    }

    /// Returns all pods.
    pub fn pods(&self) -> impl Iterator<Item = &Pod> {
        self.pods.values().map(Box::as_ref)
    }

    /// Returns the Deployment that controls a ReplicaSet.
    #[must_use]
    pub fn owner_of(&self, set: &ReplicaSet) -> Option<&Deployment> {
        self.deployments.get(&meta::controller_of(&set.metadata)?.uid).map(Box::as_ref)
    }

    /// Returns the ReplicaSet that controls a pod.
    #[must_use]
    pub fn set_of(&self, pod: &Pod) -> Option<&ReplicaSet> {
        self.replica_sets.get(&meta::controller_of(&pod.metadata)?.uid).map(Box::as_ref)
    }

    /// Returns the ReplicaSets that a Deployment controls.
    pub fn sets_of<'a>(&'a self, deployment_uid: &'a str) -> impl Iterator<Item = &'a ReplicaSet> {
        let is_owner =
            move |set: &&ReplicaSet| meta::controller_of(&set.metadata).is_some_and(|o| o.uid == deployment_uid);
        self.replica_sets().filter(is_owner)
    }

    /// Returns the pods of a ReplicaSet that are neither terminated nor terminating.
    pub fn active_pods_of<'a>(&'a self, set_uid: &'a str) -> impl Iterator<Item = &'a Pod> {
        let is_owner = move |pod: &&Pod| meta::controller_of(&pod.metadata).is_some_and(|o| o.uid == set_uid);
        self.active_pods().filter(is_owner)
    }

    /// Returns the pods that are neither terminated nor terminating.
    pub fn active_pods(&self) -> impl Iterator<Item = &Pod> {
        self.pods().filter(|pod| is_pod_active(pod))
    }

    /// Returns the number of ready pods that are not terminating.
    #[must_use]
    pub fn ready_pods(&self) -> usize {
        self.active_pods().filter(|pod| is_pod_ready(pod)).count()
    }
}

fn put<T: Clone>(objects: &mut BTreeMap<String, Box<T>>, uid: &str, new: &T, fate: Fate) -> Option<Box<T>> {
    match fate {
        Fate::Stored => objects.insert(uid.to_owned(), Box::new(new.clone())),
        Fate::Removed => objects.remove(uid),
    }
}
