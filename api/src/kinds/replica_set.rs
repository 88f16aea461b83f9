//! ReplicaSet: its rules and table columns.

use jiff::Timestamp;
use squall_proto::apps::v1::{ReplicaSet, ReplicaSetStatus};

use super::workload::{container_images, container_names, selector_text, validate_selector, validate_selector_update};
use super::{Kind, KindInfo, Resource, Scope, StatusUpdate};
use super::{pod_spec, pod_warnings};
use crate::field::{Errors, Path};
use crate::labels::Selector;
use crate::table::{Column, narrow, wide};
use crate::warnings::Warnings;
use crate::{age, names};

impl Resource for ReplicaSet {
    const KIND: Kind = Kind::ReplicaSet;
    const INFO: KindInfo = KindInfo {
        kind: "ReplicaSet",
        group: "apps",
        version: "v1",
        plural: "replicasets",
        singular: "replicaset",
        short_names: &["rs"],
        scope: Scope::Namespaced,
        message: "apps.v1.ReplicaSet",
        name_rule: names::dns1123_subdomain,
        create_on_update: false,
        in_all: true,
    };
    const COLUMNS: &'static [Column] = &[
        narrow("Name"),
        narrow("Desired").integer(),
        narrow("Current").integer(),
        narrow("Ready").integer(),
        narrow("Age"),
        wide("Containers"),
        wide("Images"),
        wide("Selector"),
    ];

    fn set_defaults(&mut self) {
        self.spec.replicas.get_or_insert(1);
        pod_spec::set_spec_defaults(&mut self.spec.template.spec);
    }

    fn validate(&self, errors: &mut Errors) {
        let path = Path::new("spec");
        errors.non_negative(&path.child("replicas"), self.spec.replicas.unwrap_or(1).into());
        errors.non_negative(&path.child("minReadySeconds"), self.spec.min_ready_seconds.into());
        if validate_selector(self.spec.selector.as_ref(), errors) {
            let selector = Selector::from_label_selector(self.spec.selector.as_ref());
            pod_spec::validate_template(
                &self.spec.template,
                selector.as_ref(),
                "ReplicaSet",
                &path.child("template"),
                errors,
            );
        }
        validate_status(&self.status, errors);
    }

    fn validate_update(&self, old: &Self, errors: &mut Errors) {
        validate_selector_update(self.spec.selector.as_ref(), old.spec.selector.as_ref(), errors);
    }

    fn prepare_create(&mut self) {
        self.status = ReplicaSetStatus::default();
        self.metadata.generation = 1;
    }

    fn prepare_update(&mut self, old: &Self) {
        self.status = old.status.clone();
        if self.spec != old.spec {
            self.metadata.generation = old.metadata.generation.saturating_add(1);
        }
    }

    fn prepare_status_update(&mut self, old: &Self) -> StatusUpdate {
        self.spec = old.spec.clone();
        StatusUpdate::Taken
    }

    fn replicas_mut(&mut self) -> Option<&mut Option<i32>> {
        Some(&mut self.spec.replicas)
    }

    fn warn(&self, old: Option<&Self>, warnings: &mut Warnings) {
        pod_warnings::warn_of_workload(
            &self.metadata,
            Some(&self.spec.template),
            old.map(|old| &old.metadata),
            warnings,
        );
    }

    fn row(&self, now: Timestamp) -> Vec<String> {
        vec![
            self.metadata.name.clone(),
            self.spec.replicas.unwrap_or(1).to_string(),
            self.status.replicas.to_string(),
            self.status.ready_replicas.to_string(),
            age::since(&self.metadata.creation_timestamp, now),
            container_names(&self.spec.template.spec),
            container_images(&self.spec.template.spec),
            selector_text(self.spec.selector.as_ref()),
        ]
    }
}

fn validate_status(status: &ReplicaSetStatus, errors: &mut Errors) {
    let path = Path::new("status");
    for (name, value) in [
        ("replicas", status.replicas),
        ("fullyLabeledReplicas", status.fully_labeled_replicas),
        ("readyReplicas", status.ready_replicas),
        ("availableReplicas", status.available_replicas),
    ] {
        errors.non_negative(&path.child(name), value.into());
        if value > status.replicas {
            errors.invalid(&path.child(name), &value, "cannot be greater than status.replicas");
        }
    }
    if status.available_replicas > status.ready_replicas {
        errors.invalid(
            &path.child("availableReplicas"),
            &status.available_replicas,
            "cannot be greater than readyReplicas",
        );
    }
}
