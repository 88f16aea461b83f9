//! Descriptions of objects for people, in kubectl's layout: the object, its related objects, and its events.
//!
//! Nothing is fetched here: the caller passes the related objects as [`Related`]. Kinds without a layout of their own
//! are shown field by field.

mod access;
mod config;
mod containers;
mod deployment;
mod endpoints;
mod events;
mod generic;
mod layout;
mod node;
mod pod;
mod policy;
mod probe;
mod replicas;
mod service;
mod template;
mod volumes;

use jiff::Timestamp;
use squall_proto::apps::v1::ReplicaSet;
use squall_proto::coordination::v1::Lease;
use squall_proto::core::v1::{Event, Pod, PodTemplateSpec, ResourceQuota};
use squall_proto::discovery::v1::EndpointSlice;

use crate::kinds::Object;
use layout::Layout;

/// The objects that are shown with an object.
#[derive(Debug, Clone, Default)]
pub struct Related {
    /// The events about the object.
    pub events: Vec<Event>,
    /// The ReplicaSets of a Deployment.
    pub replica_sets: Vec<ReplicaSet>,
    /// The pods of a ReplicaSet or ReplicationController, or those on a node.
    pub pods: Vec<Pod>,
    /// The endpoints of a service.
    pub endpoint_slices: Vec<EndpointSlice>,
    /// The Lease of a node.
    pub lease: Option<Lease>,
    /// The quotas of a namespace.
    pub quotas: Vec<ResourceQuota>,
}

/// Describes a template by itself, with tabs between the cells, like kubectl for the template of a revision.
#[must_use]
pub fn describe_template(template: &PodTemplateSpec) -> String {
    let mut layout = Layout::default();
    template::describe(&mut layout, template);
    layout.unaligned()
}

/// Describes an object, with ages relative to `now`.
#[must_use]
pub fn describe(object: &Object, related: &Related, now: Timestamp) -> String {
    let mut layout = Layout::default();
    match object {
        Object::Deployment(deployment) => deployment::describe(&mut layout, deployment, &related.replica_sets),
        Object::ReplicaSet(set) => replicas::describe_replica_set(&mut layout, set, &related.pods),
        Object::ReplicationController(controller) => {
            replicas::describe_controller(&mut layout, controller, &related.pods);
        }
        Object::Pod(pod) => pod::describe(&mut layout, pod, now),
        Object::Service(service) => service::describe(&mut layout, service, &related.endpoint_slices),
        Object::Node(node) => node::describe(&mut layout, node, related, now),
        Object::Endpoints(endpoints) => endpoints::describe_endpoints(&mut layout, endpoints),
        Object::EndpointSlice(slice) => endpoints::describe_slice(&mut layout, slice),
        Object::Namespace(namespace) => policy::describe_namespace(&mut layout, namespace, &related.quotas),
        Object::ConfigMap(map) => config::describe_config_map(&mut layout, map),
        Object::Secret(secret) => config::describe_secret(&mut layout, secret),
        Object::ServiceAccount(account) => config::describe_service_account(&mut layout, account),
        Object::ResourceQuota(quota) => policy::describe_quota(&mut layout, quota),
        Object::PodDisruptionBudget(budget) => policy::describe_budget(&mut layout, budget),
        Object::Role(role) => access::describe_role(&mut layout, &role.metadata, &role.rules),
        Object::ClusterRole(role) => access::describe_role(&mut layout, &role.metadata, &role.rules),
        Object::RoleBinding(binding) => {
            access::describe_binding(&mut layout, &binding.metadata, &binding.role_ref, &binding.subjects);
        }
        Object::ClusterRoleBinding(binding) => {
            access::describe_binding(&mut layout, &binding.metadata, &binding.role_ref, &binding.subjects);
        }
        Object::Event(_) | Object::Lease(_) | Object::CustomResourceDefinition(_) | Object::Custom(_) => {
            generic::describe(&mut layout, object);
        }
    }
    if shows_events(object) {
        events::describe(&mut layout, &related.events, now);
    }
    layout.finish()
}

/// kubectl shows no events for some kinds.
fn shows_events(object: &Object) -> bool {
    !matches!(
        object,
        Object::Namespace(_)
            | Object::Secret(_)
            | Object::ResourceQuota(_)
            | Object::Role(_)
            | Object::ClusterRole(_)
            | Object::RoleBinding(_)
            | Object::ClusterRoleBinding(_)
    )
}
