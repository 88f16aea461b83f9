//! The kinds: one file with the rules of each kind, and one list from which the compiler demands the rest.

mod amount;
mod config_map;
mod conversion_rules;
mod custom_kind;
mod custom_object;
mod custom_resource_definition;
mod data;
mod definition;
mod definition_rules;
mod deployment;
mod disruption_budget;
mod endpoint_slice;
mod endpoints;
mod endpoints_rules;
mod event;
mod lease;
mod namespace;
mod node;
mod node_rules;
mod object;
mod part;
mod pod;
pub mod pod_spec;
pub mod pod_summary;
mod pod_warnings;
mod replica_set;
mod replication_controller;
mod resource_quota;
mod role;
mod role_binding;
mod secret;
mod service;
mod service_account;
mod service_rules;
mod service_type;
mod workload;

pub use custom_kind::{CustomKind, CustomName};
pub use custom_object::CustomObject;
pub use custom_resource_definition::{CUSTOM_RESOURCE_CLEANUP, condition, has_condition, set_condition};
pub use definition::{Definition, PrinterColumn, Rank, Version, version_rank};
pub use event::{first_seen, last_seen};
pub use namespace::NAMESPACE_CONTENT;
pub use node::covers;
pub use object::{Kind, Object, Typed, with_type};
pub use part::Part;
pub use pod::{is_pod_active, is_pod_ready, is_pod_terminal, pod_condition};

use jiff::Timestamp;
use prost::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;

use squall_proto::meta::v1::ObjectMeta;

use crate::field::Errors;
use crate::names::Rule;
use crate::table::Column;
use crate::warnings::Warnings;

/// The fixed properties of a kind.
#[derive(Debug)]
pub struct KindInfo {
    /// The kind in a manifest: `Deployment`.
    pub kind: &'static str,
    /// The API group: `apps`; empty for the core group.
    pub group: &'static str,
    /// The API version: `v1`.
    pub version: &'static str,
    /// The plural in paths: `deployments`.
    pub plural: &'static str,
    /// The singular in output: `deployment`.
    pub singular: &'static str,
    /// The abbreviations that users may type: `deploy`.
    pub short_names: &'static [&'static str],
    /// Whether objects live in a namespace.
    pub scope: Scope,
    /// The protobuf name: `apps.v1.Deployment`.
    pub message: &'static str,
    /// The rule for names.
    pub name_rule: Rule,
    /// Whether a PUT to a missing name creates the object.
    pub create_on_update: bool,
    /// Whether `all` includes the kind.
    pub in_all: bool,
}

/// Whether objects of a kind live in a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Objects live in a namespace.
    Namespaced,
    /// Objects live outside of namespaces.
    Cluster,
}

impl KindInfo {
    /// Returns `apps/v1`, or `v1` for the core group.
    #[must_use]
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_owned() } else { format!("{}/{}", self.group, self.version) }
    }

    /// Returns `deployments.apps`, or `pods` for the core group.
    #[must_use]
    pub fn plural_group(&self) -> String {
        qualified(self.plural, self.group)
    }

    /// Returns `Deployment.apps`, or `Pod` for the core group.
    #[must_use]
    pub fn kind_group(&self) -> String {
        qualified(self.kind, self.group)
    }

    /// Returns the prefix of an object's name in output: `deployment.apps`.
    #[must_use]
    pub fn singular_group(&self) -> String {
        qualified(self.singular, self.group)
    }

    /// Whether objects live in a namespace.
    #[must_use]
    pub fn is_namespaced(&self) -> bool {
        self.scope == Scope::Namespaced
    }
}

fn qualified(name: &str, group: &str) -> String {
    if group.is_empty() { name.to_owned() } else { format!("{name}.{group}") }
}

impl Kind {
    /// Whether its deletion answers with the object. That of another kind answers with a `Status` (Kubernetes:
    /// `ReturnDeletedObject`).
    #[must_use]
    pub const fn is_returned_when_deleted(self) -> bool {
        matches!(self, Self::Pod | Self::Service | Self::ServiceAccount | Self::ResourceQuota | Self::Namespace)
    }
}

/// The metadata that every object has.
pub trait Meta {
    /// Returns the metadata.
    fn meta(&self) -> &ObjectMeta;
    /// Returns the metadata for changes.
    fn meta_mut(&mut self) -> &mut ObjectMeta;
}

/// The rules of one kind. Every function is pure.
pub trait Resource: Meta + Message + Default + Clone + PartialEq + Serialize + DeserializeOwned + 'static {
    /// The kind, as an entry of the list of kinds.
    const KIND: Kind;
    /// The fixed properties of the kind.
    const INFO: KindInfo;
    /// The columns of the kind's table.
    const COLUMNS: &'static [Column];

    /// Fills in the defaults of fields that the user left out.
    fn set_defaults(&mut self) {}

    /// Validates the object itself, without its metadata.
    fn validate(&self, _errors: &mut Errors) {}

    /// Validates the change from the old object.
    fn validate_update(&self, _old: &Self, _errors: &mut Errors) {}

    /// Prepares a new object for storage: drops fields that only controllers may set, and adds fields that the server
    /// sets.
    fn prepare_create(&mut self) {}

    /// Prepares an update for storage: keeps the stored status and updates the generation.
    fn prepare_update(&mut self, _old: &Self) {}

    /// Prepares an update of the status for storage: keeps everything else. Kinds without a status do not support it.
    fn prepare_status_update(&mut self, _old: &Self) -> StatusUpdate {
        StatusUpdate::Unsupported
    }

    /// Warns about a valid object that is new, or that replaces the old one.
    fn warn(&self, _old: Option<&Self>, _warnings: &mut Warnings) {}

    /// Returns the value of a field that field selectors can use, besides `metadata.name` and `metadata.namespace`.
    fn selectable(&self, _field: &str) -> Option<String> {
        None
    }

    /// Returns the desired number of replicas, if the kind has a scale.
    fn replicas_mut(&mut self) -> Option<&mut Option<i32>> {
        None
    }

    /// Returns the cells of the object's row, one for each of `COLUMNS`.
    fn row(&self, now: Timestamp) -> Vec<String>;
}

/// Whether a kind has a status subresource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusUpdate {
    /// The new status was accepted.
    Taken,
    /// The kind has no status subresource.
    Unsupported,
}
