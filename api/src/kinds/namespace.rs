//! Namespace: its rules and table columns.

use jiff::Timestamp;
use squall_proto::core::v1::Namespace;

use super::{Kind, KindInfo, Resource, Scope, StatusUpdate};
use crate::field::{Errors, Path};
use crate::table::{Column, narrow};
use crate::{age, finalizers, names};

const NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// The finalizer in the spec of each namespace. It holds a deleted namespace until a controller has emptied it.
pub const NAMESPACE_CONTENT: &str = "kubernetes";

impl Resource for Namespace {
    const KIND: Kind = Kind::Namespace;
    const INFO: KindInfo = KindInfo {
        kind: "Namespace",
        group: "",
        version: "v1",
        plural: "namespaces",
        singular: "namespace",
        short_names: &["ns"],
        scope: Scope::Cluster,
        message: "core.v1.Namespace",
        name_rule: names::dns1123_label,
        create_on_update: false,
        in_all: false,
    };
    const COLUMNS: &'static [Column] = &[narrow("Name"), narrow("Status"), narrow("Age")];

    fn set_defaults(&mut self) {
        let name = self.metadata.name.clone();
        self.metadata.labels.insert(NAME_LABEL.to_owned(), name);
    }

    fn validate(&self, errors: &mut Errors) {
        let path = Path::new("spec").child("finalizers");
        for finalizer in &self.spec.finalizers {
            finalizers::validate_one(finalizer, &path, &path, errors);
        }
    }

    fn prepare_create(&mut self) {
        self.status = Default::default();
        "Active".clone_into(&mut self.status.phase);
        // From the first moment: a namespace that is deleted at once has content to lose too.
        if !self.spec.finalizers.iter().any(|finalizer| finalizer == NAMESPACE_CONTENT) {
            self.spec.finalizers.push(NAMESPACE_CONTENT.to_owned());
        }
    }

    fn prepare_update(&mut self, old: &Self) {
        self.status = old.status.clone();
        self.spec = old.spec.clone();
    }

    fn prepare_status_update(&mut self, old: &Self) -> StatusUpdate {
        self.spec = old.spec.clone();
        StatusUpdate::Taken
    }

    fn selectable(&self, field: &str) -> Option<String> {
        (field == "status.phase").then(|| self.status.phase.clone())
    }

    fn row(&self, now: Timestamp) -> Vec<String> {
        vec![self.metadata.name.clone(), self.status.phase.clone(), age::since(&self.metadata.creation_timestamp, now)]
    }
}
