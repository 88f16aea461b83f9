//! Deployment: its rules and table columns.

use jiff::Timestamp;
use squall_proto::apps::v1::{Deployment, DeploymentStatus, DeploymentStrategy, RollingUpdateDeployment};
use squall_proto::intstr::IntOrString;

use super::amount::{is_over_100_percent, number, validate_amount};
use super::workload::{container_images, container_names, selector_text, validate_selector, validate_selector_update};
use super::{Kind, KindInfo, Resource, Scope, StatusUpdate};
use super::{pod_spec, pod_warnings};
use crate::field::{Errors, Path};
use crate::labels::Selector;
use crate::table::{Column, narrow, wide};
use crate::warnings::Warnings;
use crate::{age, names};

const ROLLING_UPDATE: &str = "RollingUpdate";
const RECREATE: &str = "Recreate";

impl Resource for Deployment {
    const KIND: Kind = Kind::Deployment;
    const INFO: KindInfo = KindInfo {
        kind: "Deployment",
        group: "apps",
        version: "v1",
        plural: "deployments",
        singular: "deployment",
        short_names: &["deploy"],
        scope: Scope::Namespaced,
        message: "apps.v1.Deployment",
        name_rule: names::dns1123_subdomain,
        create_on_update: false,
        in_all: true,
    };
    const COLUMNS: &'static [Column] = &[
        narrow("Name"),
        narrow("Ready"),
        narrow("Up-to-date").integer(),
        narrow("Available").integer(),
        narrow("Age"),
        wide("Containers"),
        wide("Images"),
        wide("Selector"),
    ];

    fn set_defaults(&mut self) {
        let spec = &mut self.spec;
        spec.replicas.get_or_insert(1);
        spec.revision_history_limit.get_or_insert(10);
        spec.progress_deadline_seconds.get_or_insert(600);
        if spec.strategy.r#type.is_empty() {
            ROLLING_UPDATE.clone_into(&mut spec.strategy.r#type);
        }
        if spec.strategy.r#type == ROLLING_UPDATE {
            let rolling = spec.strategy.rolling_update.get_or_insert_default();
            rolling.max_unavailable.get_or_insert_with(|| IntOrString::string("25%"));
            rolling.max_surge.get_or_insert_with(|| IntOrString::string("25%"));
        }
        pod_spec::set_spec_defaults(&mut spec.template.spec);
    }

    fn validate(&self, errors: &mut Errors) {
        let path = Path::new("spec");
        let spec = &self.spec;
        errors.non_negative(&path.child("replicas"), spec.replicas.unwrap_or(1).into());
        if validate_selector(spec.selector.as_ref(), errors) {
            let selector = Selector::from_label_selector(spec.selector.as_ref());
            pod_spec::validate_template(
                &spec.template,
                selector.as_ref(),
                "ReplicaSet",
                &path.child("template"),
                errors,
            );
        }
        validate_strategy(&spec.strategy, &path.child("strategy"), errors);
        errors.non_negative(&path.child("minReadySeconds"), spec.min_ready_seconds.into());
        if let Some(limit) = spec.revision_history_limit {
            errors.non_negative(&path.child("revisionHistoryLimit"), limit.into());
        }
        if let Some(deadline) = spec.progress_deadline_seconds {
            let path = path.child("progressDeadlineSeconds");
            errors.non_negative(&path, deadline.into());
            if deadline <= spec.min_ready_seconds {
                errors.invalid(&path, &deadline, "must be greater than minReadySeconds");
            }
        }
        validate_status(&self.status, errors);
    }

    fn validate_update(&self, old: &Self, errors: &mut Errors) {
        validate_selector_update(self.spec.selector.as_ref(), old.spec.selector.as_ref(), errors);
    }

    fn prepare_create(&mut self) {
        self.status = DeploymentStatus::default();
        self.metadata.generation = 1;
    }

    fn prepare_update(&mut self, old: &Self) {
        self.status = old.status.clone();
        // Changed annotations count too: that is how the controller observes a new change cause.
        if self.spec != old.spec || self.metadata.annotations != old.metadata.annotations {
            self.metadata.generation = old.metadata.generation.saturating_add(1);
        }
    }

    fn prepare_status_update(&mut self, old: &Self) -> StatusUpdate {
        // Keeps the new annotations: the controller stores the revision this way, without a new generation.
        self.spec = old.spec.clone();
        self.metadata.labels.clone_from(&old.metadata.labels);
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
        let status = &self.status;
        vec![
            self.metadata.name.clone(),
            format!("{}/{}", status.ready_replicas, self.spec.replicas.unwrap_or(1)),
            status.updated_replicas.to_string(),
            status.available_replicas.to_string(),
            age::since(&self.metadata.creation_timestamp, now),
            container_names(&self.spec.template.spec),
            container_images(&self.spec.template.spec),
            selector_text(self.spec.selector.as_ref()),
        ]
    }
}

fn validate_strategy(strategy: &DeploymentStrategy, path: &Path, errors: &mut Errors) {
    match strategy.r#type.as_str() {
        RECREATE => {
            if strategy.rolling_update.is_some() {
                errors
                    .forbidden(&path.child("rollingUpdate"), "may not be specified when strategy `type` is 'Recreate'");
            }
        }
        ROLLING_UPDATE => match &strategy.rolling_update {
            None => errors.required(&path.child("rollingUpdate"), ""),
            Some(rolling) => validate_rolling_update(rolling, &path.child("rollingUpdate"), errors),
        },
        other => {
            // The field names are those of Kubernetes' internal type.
            let value = format!("{{\"Type\":{other:?},\"RollingUpdate\":null}}");
            errors.not_supported_text(path, value, &[RECREATE, ROLLING_UPDATE]);
        }
    }
}

fn validate_rolling_update(rolling: &RollingUpdateDeployment, path: &Path, errors: &mut Errors) {
    let zero = IntOrString::default();
    let unavailable = rolling.max_unavailable.as_ref().unwrap_or(&zero);
    let surge = rolling.max_surge.as_ref().unwrap_or(&zero);
    let unavailable_path = path.child("maxUnavailable");
    validate_amount(unavailable, &unavailable_path, errors);
    validate_amount(surge, &path.child("maxSurge"), errors);
    // The numbers count here, whether or not they are percentages.
    if number(unavailable) == Some(0) && number(surge) == Some(0) {
        errors.invalid(&unavailable_path, unavailable, "may not be 0 when `maxSurge` is 0");
    }
    if is_over_100_percent(unavailable) {
        errors.invalid(&unavailable_path, unavailable, "must not be greater than 100%");
    }
}

fn validate_status(status: &DeploymentStatus, errors: &mut Errors) {
    let path = Path::new("status");
    for (name, value) in [
        ("replicas", status.replicas),
        ("updatedReplicas", status.updated_replicas),
        ("readyReplicas", status.ready_replicas),
        ("availableReplicas", status.available_replicas),
        ("unavailableReplicas", status.unavailable_replicas),
    ] {
        errors.non_negative(&path.child(name), value.into());
        if name != "unavailableReplicas" && value > status.replicas {
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
