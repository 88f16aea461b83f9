//! Volumes and devices that a container mounts.

use std::collections::{BTreeMap, HashMap, HashSet};

use squall_proto::core::v1::{Container, VolumeDevice, VolumeMount, VolumeSource};

use super::paths;
use crate::field::{Errors, Path};

type Volumes<'a> = BTreeMap<&'a str, &'a VolumeSource>;

pub(super) fn validate(container: &Container, volumes: &Volumes<'_>, path: &Path, errors: &mut Errors) {
    validate_mounts(container, volumes, &path.child("volumeMounts"), errors);
    validate_devices(container, volumes, &path.child("volumeDevices"), errors);
}

fn validate_mounts(container: &Container, volumes: &Volumes<'_>, list: &Path, errors: &mut Errors) {
    let devices = &container.volume_devices;
    let names: HashSet<&String> = devices.iter().map(|device| &device.name).collect();
    let device_paths: HashSet<&String> = last_of_each(devices.iter().map(|d| (&d.name, &d.device_path)));
    let mut seen = HashSet::new();
    for (index, mount) in container.volume_mounts.iter().enumerate() {
        let path = list.index(index);
        let (name, place) = (path.child("name"), path.child("mountPath"));
        if mount.name.is_empty() {
            errors.required(&name, "");
        }
        if !volumes.contains_key(mount.name.as_str()) {
            errors.not_found(&name, &mount.name);
        }
        if mount.mount_path.is_empty() {
            errors.required(&place, "");
        }
        if !seen.insert(&mount.mount_path) {
            errors.invalid(&place, &mount.mount_path, "must be unique");
        }
        if names.contains(&mount.name) {
            errors.invalid(&name, &mount.name, "must not already exist in volumeDevices");
        }
        if device_paths.contains(&mount.mount_path) {
            errors.invalid(&place, &mount.mount_path, "must not already exist as a path in volumeDevices");
        }
        validate_parts(mount, list, &path, errors);
        validate_propagation(mount, container, list, errors);
    }
}

/// Returns the paths of the names. The last one of equal names counts.
fn last_of_each<'a>(pairs: impl Iterator<Item = (&'a String, &'a String)>) -> HashSet<&'a String> {
    pairs.collect::<HashMap<_, _>>().into_values().collect()
}

/// Kubernetes names the list, without the index, in some of these.
fn validate_parts(mount: &VolumeMount, list: &Path, path: &Path, errors: &mut Errors) {
    if !mount.sub_path.is_empty() {
        paths::descending(&mount.sub_path, &list.child("subPath"), errors);
    }
    if !mount.sub_path_expr.is_empty() {
        if !mount.sub_path.is_empty() {
            let detail = "subPathExpr and subPath are mutually exclusive";
            errors.invalid(&path.child("subPathExpr"), &mount.sub_path_expr, detail);
        }
        paths::descending(&mount.sub_path_expr, &list.child("subPathExpr"), errors);
    }
}

fn validate_propagation(mount: &VolumeMount, container: &Container, list: &Path, errors: &mut Errors) {
    if let Some(mode) = mount.mount_propagation.as_deref() {
        let path = list.child("mountPropagation");
        errors.one_of(&path, mode, &["Bidirectional", "HostToContainer", "None"]);
        let is_privileged = container.security_context.as_ref().is_some_and(|s| s.privileged == Some(true));
        if mode == "Bidirectional" && !is_privileged {
            let detail = "Bidirectional mount propagation is available only to privileged containers";
            errors.forbidden(&path, detail);
        }
    }
    let path = list.child("recursiveReadOnly");
    match mount.recursive_read_only.as_deref() {
        None | Some("Disabled") => {}
        Some("Enabled" | "IfPossible") => {
            if !mount.read_only {
                errors.forbidden(&path, "may only be specified when readOnly is true");
            }
            if mount.mount_propagation.as_deref().is_some_and(|mode| mode != "None") {
                errors.forbidden(&path, "may only be specified when mountPropagation is None or not specified");
            }
        }
        Some(other) => errors.not_supported(&path, &other, &["Disabled", "Enabled", "IfPossible"]),
    }
}

fn validate_devices(container: &Container, volumes: &Volumes<'_>, list: &Path, errors: &mut Errors) {
    let mounts = &container.volume_mounts;
    let names: HashSet<&String> = mounts.iter().map(|mount| &mount.name).collect();
    let mount_paths: HashSet<&String> = last_of_each(mounts.iter().map(|m| (&m.name, &m.mount_path)));
    let (mut seen_names, mut seen_paths) = (HashSet::new(), HashSet::new());
    for (index, device) in container.volume_devices.iter().enumerate() {
        let path = list.index(index);
        let (name, place) = (path.child("name"), path.child("devicePath"));
        if device.name.is_empty() {
            errors.required(&name, "");
        } else if !seen_names.insert(&device.name) {
            errors.invalid(&name, &device.name, "must be unique");
        }
        validate_source(device, volumes, &name, errors);
        if device.device_path.is_empty() {
            errors.required(&place, "");
        }
        if seen_paths.contains(&device.device_path) {
            errors.invalid(&place, &device.device_path, "must be unique");
        }
        if device.device_path.split('/').any(|part| part == "..") {
            errors.invalid(&place, &device.device_path, "can not contain backsteps ('..')");
        } else {
            seen_paths.insert(&device.device_path);
        }
        if names.contains(&device.name) {
            errors.invalid(&name, &device.name, "must not already exist in volumeMounts");
        }
        if mount_paths.contains(&device.device_path) {
            errors.invalid(&place, &device.device_path, "must not already exist as a path in volumeMounts");
        }
    }
}

fn validate_source(device: &VolumeDevice, volumes: &Volumes<'_>, name: &Path, errors: &mut Errors) {
    match volumes.get(device.name.as_str()) {
        None => errors.not_found(name, &device.name),
        Some(source) if source.persistent_volume_claim.is_none() && source.ephemeral.is_none() => {
            let detail = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode";
            errors.invalid(name, &device.name, detail);
        }
        Some(_) => {}
    }
}
