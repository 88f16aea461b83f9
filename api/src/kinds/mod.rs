//! The kinds: one file each with the kind's rules, and one list from which the compiler asks for the rest.

mod amount;
mod config_map;
mod data;
mod deployment;
mod disruption_budget;
mod endpoint_slice;
mod endpoints;
mod event;
mod lease;
mod namespace;
mod node;
mod object;
mod part;
mod pod;
pub mod pod_template;
mod replica_set;
mod replication_controller;
mod resource_quota;
mod secret;
mod service;
mod service_account;
mod workload;

pub use event::{first_seen, last_seen};
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

/// What is fixed about a kind.
#[derive(Debug)]
pub struct KindInfo {
    /// `Deployment`.
    pub kind: &'static str,
    /// `apps`; empty for the core group.
    pub group: &'static str,
    /// `v1`.
    pub version: &'static str,
    /// `deployments`.
    pub plural: &'static str,
    /// `deployment`.
    pub singular: &'static str,
    /// `deploy`.
    pub short_names: &'static [&'static str],
    /// Whether objects live in a namespace.
    pub scope: Scope,
    /// The protobuf name: `apps.v1.Deployment`.
    pub message: &'static str,
    /// What names must look like.
    pub name_rule: Rule,
    /// Whether a PUT to a missing name creates the object.
    pub create_on_update: bool,
    /// Whether `all` stands for it too.
    pub in_all: bool,
}

/// Whether objects of a kind live in a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// In a namespace.
    Namespaced,
    /// In none.
    Cluster,
}

impl KindInfo {
    /// `apps/v1`, or `v1` for the core group.
    #[must_use]
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_owned() } else { format!("{}/{}", self.group, self.version) }
    }

    /// `deployments.apps`, or `pods` for the core group.
    #[must_use]
    pub fn plural_group(&self) -> String {
        qualified(self.plural, self.group)
    }

    /// `Deployment.apps`, or `Pod` for the core group.
    #[must_use]
    pub fn kind_group(&self) -> String {
        qualified(self.kind, self.group)
    }

    /// What stands before an object's name in output: `deployment.apps`.
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

/// The metadata that every object has.
pub trait Meta {
    /// The metadata.
    fn meta(&self) -> &ObjectMeta;
    /// The metadata, to change.
    fn meta_mut(&mut self) -> &mut ObjectMeta;
}

/// The rules of one kind. Every function is pure.
pub trait Resource: Meta + Message + Default + Clone + PartialEq + Serialize + DeserializeOwned + 'static {
    /// The kind's place in the list.
    const KIND: Kind;
    /// What is fixed about the kind.
    const INFO: KindInfo;
    /// The columns of its table.
    const COLUMNS: &'static [Column];

    /// Fills in what the user left out.
    fn set_defaults(&mut self) {}

    /// What is wrong with the object by itself, its metadata aside.
    fn validate(&self, _errors: &mut Errors) {}

    /// What is wrong with the change.
    fn validate_update(&self, _old: &Self, _errors: &mut Errors) {}

    /// Before it is first stored: drops what only controllers may set, adds what the server adds.
    fn prepare_create(&mut self) {}

    /// Before an update is stored: keeps the stored status and counts the generation.
    fn prepare_update(&mut self, _old: &Self) {}

    /// Before an update of the status is stored: keeps everything else. Kinds without a status do not allow it.
    fn prepare_status_update(&mut self, _old: &Self) -> StatusUpdate {
        StatusUpdate::Unsupported
    }

    /// The value of a field that can be selected by, beside `metadata.name` and `metadata.namespace`.
    fn selectable(&self, _field: &str) -> Option<String> {
        None
    }

    /// The number of replicas asked for, where the kind has a scale.
    fn replicas_mut(&mut self) -> Option<&mut Option<i32>> {
        None
    }

    /// The cells of the object's row, one for each of `COLUMNS`.
    fn row(&self, now: Timestamp) -> Vec<String>;
}

/// Whether a kind has a status subresource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusUpdate {
    /// The status was taken over.
    Taken,
    /// The kind has none.
    Unsupported,
}
