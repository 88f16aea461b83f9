//! The rules for the conversion between the versions of a custom kind, with Kubernetes' messages.

use std::collections::BTreeSet;

use squall_proto::apiextensions::v1::{CustomResourceConversion, WebhookClientConfig};

use super::definition_rules::validate_label;
use crate::field::{Errors, Path};

/// Checks how objects get from one version to another.
pub(super) fn validate_conversion(conversion: &CustomResourceConversion, path: &Path, errors: &mut Errors) {
    errors.required_one_of(&path.child("strategy"), &conversion.strategy, &["None", "Webhook"]);
    // Kubernetes names the fields as in its own form of the object.
    let (client, versions) = (path.child("webhookClientConfig"), path.child("conversionReviewVersions"));
    let webhook = conversion.webhook.as_ref();
    if conversion.strategy != "Webhook" {
        let detail = "should not be set when strategy is not set to Webhook";
        if webhook.is_some_and(|webhook| webhook.client_config.is_some()) {
            errors.forbidden(&client, detail);
        }
        if webhook.is_some_and(|webhook| !webhook.conversion_review_versions.is_empty()) {
            errors.forbidden(&versions, detail);
        }
        return;
    }
    match webhook.and_then(|webhook| webhook.client_config.as_ref()) {
        None => errors.required(&client, "required when strategy is set to Webhook"),
        Some(config) => validate_client(config, &client, errors),
    }
    let reviewed = webhook.map(|webhook| webhook.conversion_review_versions.as_slice()).unwrap_or_default();
    validate_review_versions(reviewed, &versions, errors);
}

fn validate_client(config: &WebhookClientConfig, path: &Path, errors: &mut Errors) {
    match (&config.url, &config.service) {
        (None, None) | (Some(_), Some(_)) => errors.required(path, "exactly one of url or service is required"),
        (Some(url), None) if !url.starts_with("https://") => {
            let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
            let detail = "'https' is the only allowed URL scheme; desired format: https://host[/path]";
            errors.invalid(&path.child("url"), &scheme, detail);
        }
        (Some(_), None) => {}
        (None, Some(service)) => {
            let path = path.child("service");
            for (field, value) in [("name", &service.name), ("namespace", &service.namespace)] {
                if value.is_empty() {
                    errors.required(&path.child(field), "");
                }
            }
            errors.in_range(&path.child("port"), service.port.unwrap_or(443).into(), 1..=65_535);
        }
    }
}

fn validate_review_versions(versions: &[String], path: &Path, errors: &mut Errors) {
    if versions.is_empty() {
        return errors.required(path, "");
    }
    let mut seen = BTreeSet::new();
    for (index, version) in versions.iter().enumerate() {
        if seen.insert(version) {
            validate_label(version, &path.index(index), errors);
        } else {
            errors.invalid(&path.index(index), version, "duplicate version");
        }
    }
    if !versions.iter().any(|version| matches!(version.as_str(), "v1" | "v1beta1")) {
        errors.invalid(path, &versions, "must include at least one of v1, v1beta1");
    }
}
