//! Volumes that several nodes may share.

use squall_proto::core::v1::{
    AzureFileVolumeSource, CephFsVolumeSource, FlexVolumeSource, FlockerVolumeSource, GlusterfsVolumeSource,
    NfsVolumeSource, QuobyteVolumeSource,
};

use super::required;
use crate::field::{Errors, Path};

pub(super) fn nfs(source: &NfsVolumeSource, path: &Path, errors: &mut Errors) {
    required(&source.server, "server", path, errors);
    required(&source.path, "path", path, errors);
    if !source.path.starts_with('/') {
        errors.invalid(&path.child("path"), &source.path, "must be an absolute path");
    }
}

pub(super) fn glusterfs(source: &GlusterfsVolumeSource, path: &Path, errors: &mut Errors) {
    required(&source.endpoints, "endpoints", path, errors);
    required(&source.path, "path", path, errors);
}

pub(super) fn flocker(source: &FlockerVolumeSource, path: &Path, errors: &mut Errors) {
    match (source.dataset_name.is_empty(), source.dataset_uuid.is_empty()) {
        (true, true) => errors.required(path, "one of datasetName and datasetUUID is required"),
        (false, false) => {
            errors.invalid(path, &"resource", "datasetName and datasetUUID can not be specified simultaneously");
        }
        _ => {}
    }
    if source.dataset_name.contains('/') {
        errors.invalid(&path.child("datasetName"), &source.dataset_name, "must not contain '/'");
    }
}

pub(super) fn cephfs(source: &CephFsVolumeSource, path: &Path, errors: &mut Errors) {
    if source.monitors.is_empty() {
        errors.required(&path.child("monitors"), "");
    }
}

pub(super) fn quobyte(source: &QuobyteVolumeSource, path: &Path, errors: &mut Errors) {
    let registry = path.child("registry");
    let detail = "must be a host:port pair or multiple pairs separated by commas";
    if source.registry.is_empty() {
        errors.required(&registry, detail);
    } else if source.tenant.len() >= 65 {
        errors.required(&path.child("tenant"), "must be a UUID and may not exceed a length of 64 characters");
    } else if !source.registry.split(',').all(is_host_port) {
        errors.invalid(&registry, &source.registry, detail);
    }
    required(&source.volume, "volume", path, errors);
}

fn is_host_port(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, _)| !host.contains(':') || (host.starts_with('[') && host.ends_with(']')))
}

pub(super) fn flex(source: &FlexVolumeSource, path: &Path, errors: &mut Errors) {
    required(&source.driver, "driver", path, errors);
    for key in source.options.keys() {
        let domain = key.split_once('/').map_or(key.as_str(), |(domain, _)| domain);
        let normal = format!(".{}", domain.to_lowercase());
        if normal.ends_with(".kubernetes.io") || normal.ends_with(".k8s.io") {
            let path = path.child("options").key(key);
            errors.invalid(&path, key, "kubernetes.io and k8s.io namespaces are reserved");
        }
    }
}

pub(super) fn azure_file(source: &AzureFileVolumeSource, path: &Path, errors: &mut Errors) {
    required(&source.secret_name, "secretName", path, errors);
    required(&source.share_name, "shareName", path, errors);
}
