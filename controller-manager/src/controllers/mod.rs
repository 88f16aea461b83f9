//! The controllers, and the one function that starts them all.

mod cluster_role_aggregation;
mod custom_resource_definition;
mod deployment;
mod disruption;
mod endpoint_slice;
mod endpoint_slice_mirroring;
mod endpoints;
mod garbage_collector;
mod namespace;
mod node_lifecycle;
mod pod_gc;
mod replicas;
mod scheduler;
mod service;

use squall_client::Client;
use squall_daemon::Timing;

use crate::runtime::{Caches, Handle, start};

/// Starts every controller. Dropping the handles stops them.
pub fn all(caches: &Caches, client: &Client, timing: Timing) -> Vec<Handle> {
    vec![
        start(deployment::DeploymentController { timing }, caches, client.clone()),
        start(replicas::ReplicaSetController::new(timing), caches, client.clone()),
        start(replicas::ReplicationControllerController::new(timing), caches, client.clone()),
        start(scheduler::Scheduler, caches, client.clone()),
        start(endpoint_slice::EndpointSliceController, caches, client.clone()),
        start(endpoint_slice_mirroring::EndpointSliceMirroringController, caches, client.clone()),
        start(endpoints::EndpointsController, caches, client.clone()),
        start(disruption::DisruptionController, caches, client.clone()),
        start(pod_gc::PodGarbageCollector::new(timing), caches, client.clone()),
        start(service::ServiceController, caches, client.clone()),
        start(node_lifecycle::NodeLifecycleController::new(timing), caches, client.clone()),
        start(garbage_collector::GarbageCollector, caches, client.clone()),
        start(cluster_role_aggregation::ClusterRoleAggregationController, caches, client.clone()),
        start(custom_resource_definition::CustomResourceDefinitionController, caches, client.clone()),
        start(namespace::NamespaceController, caches, client.clone()),
    ]
}
