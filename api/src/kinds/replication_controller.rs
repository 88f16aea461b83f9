//! ReplicationController: its rules and table columns.

use jiff::Timestamp;
use squall_proto::core::v1::{ReplicationController, ReplicationControllerStatus};

use super::workload::{container_images, container_names};
use super::{Kind, KindInfo, Resource, Scope, StatusUpdate};
use super::{pod_spec, pod_warnings};
use crate::field::{Errors, Path};
use crate::labels::Selector;
use crate::table::{Column, narrow, pairs, wide};
use crate::warnings::Warnings;
use crate::{age, names};

impl Resource for ReplicationController {
    const KIND: Kind = Kind::ReplicationController;
    const INFO: KindInfo = KindInfo {
        kind: "ReplicationController",
        group: "",
        version: "v1",
        plural: "replicationcontrollers",
        singular: "replicationcontroller",
        short_names: &["rc"],
        scope: Scope::Namespaced,
        message: "core.v1.ReplicationController",
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
        if let Some(template) = &mut self.spec.template {
            pod_spec::set_spec_defaults(&mut template.spec);
            if self.spec.selector.is_empty() {
                self.spec.selector.clone_from(&template.metadata.labels);
            }
            if self.metadata.labels.is_empty() {
                self.metadata.labels.clone_from(&template.metadata.labels);
            }
        }
    }

    fn validate(&self, errors: &mut Errors) {
        let path = Path::new("spec");
        errors.non_negative(&path.child("minReadySeconds"), self.spec.min_ready_seconds.into());
        if self.spec.selector.is_empty() {
            errors.required(&path.child("selector"), "");
        }
        errors.non_negative(&path.child("replicas"), self.spec.replicas.unwrap_or(1).into());
        match &self.spec.template {
            None => errors.required(&path.child("template"), ""),
            Some(template) => {
                let selector = Selector::from_map(&self.spec.selector);
                pod_spec::validate_template(
                    template,
                    Some(&selector),
                    "ReplicationController",
                    &path.child("template"),
                    errors,
                );
            }
        }
    }

    fn prepare_create(&mut self) {
        self.status = ReplicationControllerStatus::default();
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
            self.spec.template.as_ref(),
            old.map(|old| &old.metadata),
            warnings,
        );
    }

    fn row(&self, now: Timestamp) -> Vec<String> {
        let template = self.spec.template.clone().unwrap_or_default();
        vec![
            self.metadata.name.clone(),
            self.spec.replicas.unwrap_or(1).to_string(),
            self.status.replicas.to_string(),
            self.status.ready_replicas.to_string(),
            age::since(&self.metadata.creation_timestamp, now),
            container_names(&template.spec),
            container_images(&template.spec),
            pairs(&self.spec.selector),
        ]
    }
}
