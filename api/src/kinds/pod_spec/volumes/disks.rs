//! Volumes that are disks.

use squall_proto::core::v1::{
    AwsElasticBlockStoreVolumeSource, AzureDiskVolumeSource, CinderVolumeSource, FcVolumeSource,
    GcePersistentDiskVolumeSource, IscsiVolumeSource, RbdVolumeSource, ScaleIoVolumeSource, StorageOsVolumeSource,
};

use super::required;
use crate::field::{Errors, Path};
use crate::names::dns1123_label;

pub(super) fn gce(source: &GcePersistentDiskVolumeSource, path: &Path, errors: &mut Errors) {
    required(&source.pd_name, "pdName", path, errors);
    partition(source.partition, path, errors);
}

pub(super) fn aws(source: &AwsElasticBlockStoreVolumeSource, path: &Path, errors: &mut Errors) {
    required(&source.volume_id, "volumeID", path, errors);
    partition(source.partition, path, errors);
}

/// Kubernetes allows 0, which means the whole disk, and does not say so.
fn partition(partition: i32, path: &Path, errors: &mut Errors) {
    if !(0..=255).contains(&partition) {
        errors.invalid(&path.child("partition"), &partition, "must be between 1 and 255, inclusive");
    }
}

pub(super) fn iscsi(source: &IscsiVolumeSource, path: &Path, errors: &mut Errors) {
    required(&source.target_portal, "targetPortal", path, errors);
    required(&source.iqn, "iqn", path, errors);
    if !source.iqn.is_empty() {
        initiator(&source.iqn, &path.child("iqn"), errors);
    }
    errors.in_range(&path.child("lun"), source.lun.into(), 0..=255);
    if (source.chap_auth_discovery || source.chap_auth_session) && source.secret_ref.is_none() {
        errors.required(&path.child("secretRef"), "");
    }
    if let Some(name) = &source.initiator_name {
        initiator(name, &path.child("initiatorname"), errors);
    }
}

/// Validates the length of what a volume is called on its node.
pub(super) fn iscsi_name(source: &IscsiVolumeSource, volume: &str, path: &Path, errors: &mut Errors) {
    if volume.len().saturating_add(source.target_portal.len()).saturating_add(1) > 64 {
        let detail = "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if \
                      iscsi.initiatorName is specified.";
        errors.invalid(&path.child("name"), &volume, detail);
    }
}

fn initiator(name: &str, path: &Path, errors: &mut Errors) {
    let is_valid = match name.get(..3) {
        Some("iqn") => is_iqn(name),
        Some("eui") => is_world_wide(name, 16),
        Some("naa") => is_world_wide(name, 32),
        _ => {
            errors.invalid(path, &name, "must be valid format starting with iqn, eui, or naa");
            return;
        }
    };
    if !is_valid {
        errors.invalid(path, &name, "must be valid format");
    }
}

/// `iqn.2001-04.com.example:storage`
fn is_iqn(name: &str) -> bool {
    let Some((head, tail)) = name.split_once(':') else { return false };
    let Some((date, domain)) = head.strip_prefix("iqn.").and_then(|rest| rest.split_once('.')) else { return false };
    let digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    let is_date = date
        .split_once('-')
        .is_some_and(|(year, month)| year.len() == 4 && month.len() == 2 && digits(year) && digits(month));
    let is_domain = !domain.is_empty() && domain.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.');
    is_date && is_domain && !tail.is_empty() && !tail.contains(|c: char| ",;*&$|".contains(c) || c.is_whitespace())
}

/// `eui.` or `naa.` and so many letters and digits.
fn is_world_wide(name: &str, length: usize) -> bool {
    name.get(4..).is_some_and(|id| id.len() == length && id.chars().all(|c| c.is_ascii_alphanumeric()))
}

pub(super) fn rbd(source: &RbdVolumeSource, path: &Path, errors: &mut Errors) {
    if source.monitors.is_empty() {
        errors.required(&path.child("monitors"), "");
    }
    required(&source.image, "image", path, errors);
}

pub(super) fn cinder(source: &CinderVolumeSource, path: &Path, errors: &mut Errors) {
    required(&source.volume_id, "volumeID", path, errors);
    if let Some(secret) = &source.secret_ref {
        required(&secret.name, "name", &path.child("secretRef"), errors);
    }
}

pub(super) fn fibre_channel(source: &FcVolumeSource, path: &Path, errors: &mut Errors) {
    let targets = path.child("targetWWNs");
    match (source.target_ww_ns.is_empty(), source.wwids.is_empty()) {
        (true, true) => errors.required(&targets, "must specify either targetWWNs or wwids, but not both"),
        (false, false) => {
            let detail = "targetWWNs and wwids can not be specified simultaneously";
            errors.invalid(&targets, &source.target_ww_ns, detail);
        }
        _ => {}
    }
    let lun = path.child("lun");
    match source.lun {
        _ if source.target_ww_ns.is_empty() => {}
        None => errors.required(&lun, "lun is required if targetWWNs is specified"),
        Some(number) => errors.in_range(&lun, number.into(), 0..=255),
    }
}

pub(super) fn azure(source: &AzureDiskVolumeSource, path: &Path, errors: &mut Errors) {
    required(&source.disk_name, "diskName", path, errors);
    required(&source.disk_uri, "diskURI", path, errors);
    if let Some(mode) = &source.caching_mode {
        errors.one_of(&path.child("cachingMode"), mode, &["None", "ReadOnly", "ReadWrite"]);
    }
    let Some(kind) = &source.kind else { return };
    errors.one_of(&path.child("kind"), kind, &["Dedicated", "Managed", "Shared"]);
    let (start, form) = if kind == "Managed" {
        let form = "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}";
        ("/subscriptions/", form)
    } else {
        ("https://", "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd")
    };
    if !source.disk_uri.starts_with(start) {
        errors.not_supported(&path.child("diskURI"), &source.disk_uri, &[form]);
    }
}

pub(super) fn storage_os(source: &StorageOsVolumeSource, path: &Path, errors: &mut Errors) {
    required(&source.volume_name, "volumeName", path, errors);
    for (field, name) in [("volumeName", &source.volume_name), ("volumeNamespace", &source.volume_namespace)] {
        if !name.is_empty() {
            errors.named(&path.child(field), name, dns1123_label);
        }
    }
    if let Some(secret) = &source.secret_ref {
        required(&secret.name, "name", &path.child("secretRef"), errors);
    }
}

pub(super) fn scale_io(source: &ScaleIoVolumeSource, path: &Path, errors: &mut Errors) {
    required(&source.gateway, "gateway", path, errors);
    required(&source.system, "system", path, errors);
    required(&source.volume_name, "volumeName", path, errors);
}
