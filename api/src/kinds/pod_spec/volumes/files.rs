//! Volumes with files: of the node, and of config maps, secrets and the pod's own fields.

use squall_proto::core::v1::{
    ConfigMapVolumeSource, DownwardApiVolumeFile, DownwardApiVolumeSource, GitRepoVolumeSource, HostPathVolumeSource,
    ImageVolumeSource, KeyToPath, SecretVolumeSource,
};

use super::{paths, required};
use crate::field::{Errors, Path};
use crate::kinds::pod_spec::environment::{FILE_FIELDS, validate_field, validate_resource};

const HOST_PATHS: [&str; 8] =
    ["", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"];

pub(super) fn host_path(source: &HostPathVolumeSource, path: &Path, errors: &mut Errors) {
    if source.path.is_empty() {
        errors.required(&path.child("path"), "");
        return;
    }
    paths::no_backsteps(&source.path, &path.child("path"), errors);
    if let Some(kind) = &source.r#type {
        errors.one_of(&path.child("type"), kind, &HOST_PATHS);
    }
}

pub(super) fn git_repo(source: &GitRepoVolumeSource, path: &Path, errors: &mut Errors) {
    required(&source.repository, "repository", path, errors);
    paths::descending(&source.directory, &path.child("directory"), errors);
}

pub(super) fn secret(source: &SecretVolumeSource, path: &Path, errors: &mut Errors) {
    required(&source.secret_name, "secretName", path, errors);
    mode(source.default_mode, "defaultMode", path, errors);
    keys(&source.items, path, errors);
}

pub(super) fn config_map(source: &ConfigMapVolumeSource, path: &Path, errors: &mut Errors) {
    required(&source.local_object_reference.name, "name", path, errors);
    mode(source.default_mode, "defaultMode", path, errors);
    keys(&source.items, path, errors);
}

pub(super) fn downward_api(source: &DownwardApiVolumeSource, path: &Path, errors: &mut Errors) {
    mode(source.default_mode, "defaultMode", path, errors);
    for file in &source.items {
        // Kubernetes does not say which.
        downward_file(file, path, errors);
    }
}

pub(super) fn image(source: &ImageVolumeSource, path: &Path, errors: &mut Errors) {
    errors.required_one_of(&path.child("pullPolicy"), &source.pull_policy, &["Always", "IfNotPresent", "Never"]);
}

pub(super) fn keys(items: &[KeyToPath], path: &Path, errors: &mut Errors) {
    for (index, item) in items.iter().enumerate() {
        let path = path.child("items").index(index);
        required(&item.key, "key", &path, errors);
        required(&item.path, "path", &path, errors);
        paths::not_reserved(&item.path, &path.child("path"), errors);
        mode(item.mode, "mode", &path, errors);
    }
}

pub(super) fn downward_file(file: &DownwardApiVolumeFile, path: &Path, errors: &mut Errors) {
    required(&file.path, "path", path, errors);
    paths::not_reserved(&file.path, &path.child("path"), errors);
    match (&file.field_ref, &file.resource_field_ref) {
        (Some(field), resource) => {
            validate_field(field, &FILE_FIELDS, &path.child("fieldRef"), errors);
            if resource.is_some() {
                let detail = "fieldRef and resourceFieldRef can not be specified simultaneously";
                errors.invalid(path, &"resource", detail);
            }
        }
        (None, Some(resource)) => validate_resource(resource, true, &path.child("resourceFieldRef"), errors),
        (None, None) => errors.required(path, "one of fieldRef and resourceFieldRef is required"),
    }
    mode(file.mode, "mode", path, errors);
}

pub(super) fn mode(mode: Option<i32>, field: &str, path: &Path, errors: &mut Errors) {
    if let Some(mode) = mode.filter(|mode| !(0..=0o777).contains(mode)) {
        let detail = "must be a number between 0 and 0777 (octal), both inclusive";
        errors.invalid(&path.child(field), &mode, detail);
    }
}
