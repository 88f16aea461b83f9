//! Volumes of drivers, and claims made for one pod.

use squall_proto::core::v1::{
    CsiVolumeSource, EphemeralVolumeSource, PersistentVolumeClaimSpec, TypedLocalObjectReference,
};
use squall_proto::meta::v1::ObjectMeta;

use super::required;
use crate::annotations;
use crate::field::{Errors, Path};
use crate::labels::validate_selector;
use crate::names::{dns1123_label, dns1123_subdomain};
use crate::quantity;

const ACCESS_MODES: [&str; 4] = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];

pub(super) fn csi(source: &CsiVolumeSource, path: &Path, errors: &mut Errors) {
    let driver = path.child("driver");
    if source.driver.is_empty() {
        errors.required(&driver, "");
    } else {
        if source.driver.len() > 63 {
            errors.too_long(&driver, "may not be more than 63 bytes");
        }
        for problem in dns1123_subdomain(&source.driver.to_lowercase()) {
            errors.invalid(&driver, &source.driver, &problem);
        }
    }
    let Some(secret) = &source.node_publish_secret_ref else { return };
    if secret.name.is_empty() {
        errors.required(&path.child("nodePublishSecretRef").child("name"), "");
    } else {
        errors.named(&path.child("name"), &secret.name, dns1123_subdomain);
    }
}

pub(super) fn ephemeral(source: &EphemeralVolumeSource, path: &Path, errors: &mut Errors) {
    let path = path.child("volumeClaimTemplate");
    let Some(template) = &source.volume_claim_template else {
        errors.required(&path, "");
        return;
    };
    metadata(&template.metadata, &path.child("metadata"), errors);
    claim(&template.spec, &path.child("spec"), errors);
}

/// Validates the name that a claim will have.
pub(super) fn name(claim: &str, volume: &str, path: &Path, errors: &mut Errors) {
    for problem in dns1123_subdomain(claim) {
        errors.invalid(&path.child("name"), &volume, &format!("PVC name {claim:?}: {problem}"));
    }
}

/// A template has labels and annotations, and nothing else.
fn metadata(metadata: &ObjectMeta, path: &Path, errors: &mut Errors) {
    annotations::validate(&metadata.annotations, &path.child("annotations"), errors);
    crate::labels::validate(&metadata.labels, &path.child("labels"), errors);
    let others = [
        ("name", !metadata.name.is_empty()),
        ("generateName", !metadata.generate_name.is_empty()),
        ("namespace", !metadata.namespace.is_empty()),
        ("ownerReferences", !metadata.owner_references.is_empty()),
        ("finalizers", !metadata.finalizers.is_empty()),
    ];
    for (name, _) in others.into_iter().filter(|(_, given)| *given) {
        errors.forbidden(&path.child(name), "cannot be set");
    }
}

fn claim(spec: &PersistentVolumeClaimSpec, path: &Path, errors: &mut Errors) {
    let modes = path.child("accessModes");
    if spec.access_modes.is_empty() {
        errors.required(&modes, "at least 1 access mode is required");
    }
    if let Some(selector) = &spec.selector {
        validate_selector(selector, &path.child("selector"), errors);
    }
    for mode in &spec.access_modes {
        errors.one_of(&modes, mode, &ACCESS_MODES);
    }
    let is_single = |mode: &String| mode == "ReadWriteOncePod";
    let is_other = |mode: &String| ACCESS_MODES.contains(&mode.as_str()) && !is_single(mode);
    if spec.access_modes.iter().any(is_single) && spec.access_modes.iter().any(is_other) {
        errors.forbidden(&modes, "may not use ReadWriteOncePod with other access modes");
    }
    let storage = path.child("resources").key("storage");
    match spec.resources.requests.get("storage") {
        None => errors.required(&storage, ""),
        Some(amount) if quantity::parse(amount).is_some_and(|amount| amount.0 <= 0) => {
            errors.invalid(&storage, &amount.string, "must be greater than zero");
        }
        Some(amount) => errors.quantity(&storage, amount),
    }
    if let Some(class) = spec.storage_class_name.as_deref().filter(|class| !class.is_empty()) {
        errors.named(&path.child("storageClassName"), class, dns1123_subdomain);
    }
    if let Some(mode) = &spec.volume_mode {
        errors.one_of(&path.child("volumeMode"), mode, &["Block", "Filesystem"]);
    }
    if let Some(source) = &spec.data_source {
        data_source(source, &path.child("dataSource"), errors);
    }
    if let Some(source) = &spec.data_source_ref {
        let local = TypedLocalObjectReference {
            api_group: source.api_group.clone(),
            kind: source.kind.clone(),
            name: source.name.clone(),
        };
        let path = path.child("dataSourceRef");
        data_source(&local, &path, errors);
        if let Some(namespace) = source.namespace.as_deref().filter(|namespace| !namespace.is_empty()) {
            errors.named(&path.child("namespace"), namespace, dns1123_label);
        }
    }
}

fn data_source(source: &TypedLocalObjectReference, path: &Path, errors: &mut Errors) {
    required(&source.name, "name", path, errors);
    required(&source.kind, "kind", path, errors);
    let group = source.api_group.as_deref().unwrap_or_default();
    if group.is_empty() {
        if source.kind != "PersistentVolumeClaim" {
            let detail = "must be 'PersistentVolumeClaim' when referencing the default apiGroup";
            errors.invalid(path, &source.kind, detail);
        }
    } else {
        errors.named(&path.child("apiGroup"), group, dns1123_subdomain);
    }
}
