//! CustomResourceDefinition: its rules and table columns. `definition_rules` has the rules of its spec.

use std::collections::BTreeSet;

use jiff::Timestamp;
use squall_proto::apiextensions::v1::{
    CustomResourceConversion, CustomResourceDefinition, CustomResourceDefinitionCondition,
    CustomResourceDefinitionStatus, WebhookConversion,
};
use squall_proto::meta::v1::Time;

use super::definition_rules::{self, Update};
use super::{Kind, KindInfo, Resource, Scope, StatusUpdate};
use crate::field::Errors;
use crate::table::{Column, narrow};
use crate::warnings::Warnings;
use crate::{names, structural};

/// The finalizer of a deleted definition. It holds the definition until a controller has deleted its objects.
pub const CUSTOM_RESOURCE_CLEANUP: &str = "customresourcecleanup.apiextensions.k8s.io";

/// Whether a condition of a definition is true.
#[must_use]
pub fn has_condition(definition: &CustomResourceDefinition, name: &str) -> bool {
    definition.status.conditions.iter().any(|condition| condition.r#type == name && condition.status == "True")
}

/// Creates a condition of a definition.
#[must_use]
pub fn condition(name: &str, status: &str, reason: &str, message: &str) -> CustomResourceDefinitionCondition {
    CustomResourceDefinitionCondition {
        r#type: name.to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message: message.to_owned(),
        ..CustomResourceDefinitionCondition::default()
    }
}

/// Sets a condition of a definition. One whose status stays the same keeps the time of its last transition.
pub fn set_condition(
    definition: &mut CustomResourceDefinition,
    mut condition: CustomResourceDefinitionCondition,
    now: Timestamp,
) {
    let conditions = &mut definition.status.conditions;
    let before = conditions.iter_mut().find(|before| before.r#type == condition.r#type);
    condition.last_transition_time = match &before {
        Some(before) if before.status == condition.status => before.last_transition_time,
        _ => Time::from_timestamp(now),
    };
    match before {
        Some(before) => *before = condition,
        None => conditions.push(condition),
    }
}

/// The version that objects are stored in is recorded, because there may be objects in it from then on.
fn record_storage_version(definition: &mut CustomResourceDefinition) {
    let Some(stored) = definition.spec.versions.iter().find(|version| version.storage) else { return };
    if !definition.status.stored_versions.contains(&stored.name) {
        definition.status.stored_versions.push(stored.name.clone());
    }
}

/// Returns the formats in the schemas of a definition that nothing checks.
fn unrecognized_formats(definition: &CustomResourceDefinition) -> BTreeSet<String> {
    let schemas =
        definition.spec.versions.iter().filter_map(|version| version.schema.as_ref()?.open_apiv3_schema.as_ref());
    schemas.flat_map(structural::unrecognized_formats).collect()
}

fn default_webhook(webhook: &mut WebhookConversion) {
    if let Some(service) = webhook.client_config.as_mut().and_then(|client| client.service.as_mut()) {
        service.port.get_or_insert(443);
    }
}

impl Resource for CustomResourceDefinition {
    const KIND: Kind = Kind::CustomResourceDefinition;
    const INFO: KindInfo = KindInfo {
        kind: "CustomResourceDefinition",
        group: "apiextensions.k8s.io",
        version: "v1",
        plural: "customresourcedefinitions",
        singular: "customresourcedefinition",
        short_names: &["crd", "crds"],
        scope: Scope::Cluster,
        message: "apiextensions.v1.CustomResourceDefinition",
        name_rule: names::dns1123_subdomain,
        create_on_update: false,
        in_all: false,
    };
    const COLUMNS: &'static [Column] = &[narrow("Name"), narrow("Created At")];

    fn set_defaults(&mut self) {
        let names = &mut self.spec.names;
        if names.singular.is_empty() {
            names.singular = names.kind.to_lowercase();
        }
        if names.list_kind.is_empty() && !names.kind.is_empty() {
            names.list_kind = format!("{}List", names.kind);
        }
        let none = || CustomResourceConversion { strategy: "None".to_owned(), webhook: None };
        let conversion = self.spec.conversion.get_or_insert_with(none);
        if let Some(webhook) = &mut conversion.webhook {
            default_webhook(webhook);
        }
    }

    fn validate(&self, errors: &mut Errors) {
        definition_rules::validate(self, errors);
    }

    fn validate_update(&self, old: &Self, errors: &mut Errors) {
        let is_established = has_condition(old, "Established");
        definition_rules::validate_update(self, old, Update { is_established }, errors);
    }

    fn prepare_create(&mut self) {
        self.metadata.generation = 1;
        self.status = CustomResourceDefinitionStatus::default();
        record_storage_version(self);
    }

    fn prepare_update(&mut self, old: &Self) {
        self.status = old.status.clone();
        if self.spec != old.spec {
            self.metadata.generation = old.metadata.generation.saturating_add(1);
        }
        record_storage_version(self);
    }

    fn prepare_status_update(&mut self, old: &Self) -> StatusUpdate {
        self.spec = old.spec.clone();
        StatusUpdate::Taken
    }

    fn warn(&self, old: Option<&Self>, warnings: &mut Warnings) {
        let before = old.map(unrecognized_formats).unwrap_or_default();
        for format in unrecognized_formats(self).difference(&before) {
            warnings.say(format!("unrecognized format {format:?}"));
        }
        let schemas =
            self.spec.versions.iter().filter_map(|version| version.schema.as_ref()?.open_apiv3_schema.as_ref());
        if schemas.into_iter().any(structural::has_rules) {
            warnings.say("x-kubernetes-validations are kept, but this cluster does not check them".to_owned());
        }
        let conversion = self.spec.conversion.as_ref();
        if conversion.is_some_and(|conversion| conversion.strategy == "Webhook") && self.spec.versions.len() > 1 {
            warnings.say("this cluster calls no conversion webhook: only the stored version is served".to_owned());
        }
    }

    fn row(&self, _now: Timestamp) -> Vec<String> {
        let created = squall_proto::format_rfc3339_seconds(self.metadata.creation_timestamp.timestamp());
        vec![self.metadata.name.clone(), created]
    }
}
