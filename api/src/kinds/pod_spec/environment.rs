//! Environment variables and the fields that they, and files, may refer to.

use squall_proto::core::v1::{
    Container, EnvFromSource, EnvVar, EnvVarSource, FileKeySelector, LocalObjectReference, ObjectFieldSelector,
    PodSpec, ResourceFieldSelector,
};

use super::{containers_of, paths};
use crate::field::{Errors, Path};
use crate::names;

/// The fields that a variable may have.
const VARIABLE_FIELDS: [&str; 9] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];
/// The fields that a file may have.
pub(super) const FILE_FIELDS: [&str; 5] =
    ["metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"];
/// The fields of a pod that have a name at all.
const KNOWN_FIELDS: [&str; 15] = [
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.serviceAccountName",
    "spec.schedulerName",
    "status.phase",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
    "spec.host",
];
const RESOURCES: [&str; 6] = [
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];
const BYTES: [&str; 13] = ["1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"];

pub(super) fn validate(container: &Container, path: &Path, errors: &mut Errors) {
    for (index, variable) in container.env.iter().enumerate() {
        validate_variable(variable, &path.child("env").index(index), errors);
    }
    for (index, source) in container.env_from.iter().enumerate() {
        validate_from(source, &path.child("envFrom"), index, errors);
    }
}

fn validate_variable(variable: &EnvVar, path: &Path, errors: &mut Errors) {
    if variable.name.is_empty() {
        errors.required(&path.child("name"), "");
    } else {
        errors.named(&path.child("name"), &variable.name, names::environment_variable);
    }
    let Some(source) = &variable.value_from else { return };
    let path = path.child("valueFrom");
    let problem = match validate_source(source, &path, errors) {
        0 => "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`",
        _ if !variable.value.is_empty() => "may not be specified when `value` is not empty",
        1 => return,
        _ => "may not have more than one field specified at a time",
    };
    errors.invalid(&path, &"", problem);
}

/// Validates the sources of a value, and returns their number.
fn validate_source(source: &EnvVarSource, path: &Path, errors: &mut Errors) -> usize {
    if let Some(field) = &source.field_ref {
        validate_field(field, &VARIABLE_FIELDS, &path.child("fieldRef"), errors);
    }
    if let Some(resource) = &source.resource_field_ref {
        validate_resource(resource, false, &path.child("resourceFieldRef"), errors);
    }
    if let Some(key) = &source.config_map_key_ref {
        validate_key(&key.local_object_reference, &key.key, &path.child("configMapKeyRef"), errors);
    }
    if let Some(key) = &source.secret_key_ref {
        validate_key(&key.local_object_reference, &key.key, &path.child("secretKeyRef"), errors);
    }
    if let Some(file) = &source.file_key_ref {
        validate_file(file, &path.child("fileKeyRef"), errors);
    }
    let given = [
        source.field_ref.is_some(),
        source.resource_field_ref.is_some(),
        source.config_map_key_ref.is_some(),
        source.secret_key_ref.is_some(),
        source.file_key_ref.is_some(),
    ];
    given.into_iter().filter(|given| *given).count()
}

fn validate_key(object: &LocalObjectReference, key: &str, path: &Path, errors: &mut Errors) {
    errors.named(&path.child("name"), &object.name, names::dns1123_subdomain);
    if key.is_empty() {
        errors.required(&path.child("key"), "");
    } else {
        errors.named(&path.child("key"), key, names::config_key);
    }
}

fn validate_file(file: &FileKeySelector, path: &Path, errors: &mut Errors) {
    if file.key.is_empty() {
        errors.required(&path.child("key"), "");
    } else {
        errors.named(&path.child("key"), &file.key, names::environment_variable);
    }
    if file.volume_name.is_empty() {
        errors.required(&path.child("volumeName"), "");
    } else {
        errors.named(&path.child("volumeName"), &file.volume_name, names::dns1123_label);
    }
    if file.path.is_empty() {
        errors.required(&path.child("path"), "");
    } else {
        paths::no_backsteps(&file.path, &path.child("path"), errors);
    }
}

/// A variable from a file needs an empty directory that the containers share.
pub(super) fn validate_file_volumes(spec: &PodSpec, path: &Path, errors: &mut Errors) {
    let volumes: std::collections::HashMap<_, _> =
        spec.volumes.iter().map(|volume| (&volume.name, &volume.volume_source)).collect();
    for (container, path) in containers_of(spec, path) {
        for (index, variable) in container.env.iter().enumerate() {
            let Some(file) = variable.value_from.as_ref().and_then(|source| source.file_key_ref.as_ref()) else {
                continue;
            };
            let path = path.child("env").index(index).child("valueFrom").child("fileKeyRef").child("volumeName");
            match volumes.get(&file.volume_name) {
                None => errors.not_found(&path, &file.volume_name),
                Some(volume) if volume.empty_dir.is_none() => {
                    errors.invalid(&path, &file.volume_name, "referenced volume must be of type emptyDir");
                }
                Some(_) => {}
            }
        }
    }
}

fn validate_from(source: &EnvFromSource, list: &Path, index: usize, errors: &mut Errors) {
    let path = list.index(index);
    if !source.prefix.is_empty() {
        errors.named(&path.child("prefix"), &source.prefix, names::environment_variable);
    }
    let config_map = source.config_map_ref.as_ref().map(|source| &source.local_object_reference);
    let secret = source.secret_ref.as_ref().map(|source| &source.local_object_reference);
    for (name, object) in [("configMapRef", config_map), ("secretRef", secret)] {
        let Some(object) = object else { continue };
        let path = path.child(name).child("name");
        if object.name.is_empty() {
            errors.required(&path, "");
        } else {
            // As the beginning of a name, which may end in a hyphen.
            errors.named(&path, object.name.strip_suffix('-').unwrap_or(&object.name), names::dns1123_subdomain);
        }
    }
    match (config_map, secret) {
        (None, None) => errors.invalid(list, &"", "must specify one of: `configMapRef` or `secretRef`"),
        (Some(_), Some(_)) => errors.invalid(list, &"", "may not have more than one field specified at a time"),
        _ => {}
    }
}

/// Validates a reference to a field of the pod.
pub(super) fn validate_field(field: &ObjectFieldSelector, allowed: &[&str], path: &Path, errors: &mut Errors) {
    if field.api_version.is_empty() {
        errors.required(&path.child("apiVersion"), "");
        return;
    }
    let name = path.child("fieldPath");
    let text = field.field_path.as_str();
    if text.is_empty() {
        errors.required(&name, "");
        return;
    }
    let subscripted = subscript(text);
    let problem = match subscripted {
        _ if field.api_version != "v1" => format!("unsupported pod version: {}", field.api_version),
        Some(("metadata.annotations" | "metadata.labels", _)) => String::new(),
        Some(_) => format!("field label does not support subscript: {text}"),
        None if KNOWN_FIELDS.contains(&text) => String::new(),
        None => format!("field label not supported: {text}"),
    };
    if !problem.is_empty() {
        errors.invalid(&name, &text, &format!("error converting fieldPath: {problem}"));
        return;
    }
    // Old clients send it.
    let text = if text == "spec.host" { "spec.nodeName" } else { text };
    match subscripted {
        Some(("metadata.annotations", key)) => errors.named(path, &key.to_lowercase(), names::qualified_name),
        Some((_, key)) => errors.named(path, key, names::qualified_name),
        None if !allowed.contains(&text) => errors.not_supported(&name, &text, allowed),
        None => {}
    }
}

/// Splits `metadata.labels['app']` into the field and the key.
fn subscript(text: &str) -> Option<(&str, &str)> {
    text.strip_suffix("']")?.split_once("['").filter(|(field, _)| !field.is_empty())
}

/// Validates a reference to a resource of a container. A file must say of which container.
pub(super) fn validate_resource(field: &ResourceFieldSelector, is_file: bool, path: &Path, errors: &mut Errors) {
    let name = field.resource.as_str();
    let is_huge = ["requests.hugepages-", "limits.hugepages-"].iter().any(|prefix| name.starts_with(prefix));
    if is_file && field.container_name.is_empty() {
        errors.required(&path.child("containerName"), "");
    } else if name.is_empty() {
        errors.required(&path.child("resource"), "");
    } else if !RESOURCES.contains(&name) && !is_huge {
        errors.not_supported(&path.child("resource"), &name, &RESOURCES);
    }
    let divisor = field.divisor.string.as_str();
    if crate::quantity::parse(&field.divisor).is_none_or(|divisor| divisor.0 == 0) {
        return;
    }
    let (allowed, what): (&[&str], _) = match name {
        "limits.cpu" | "requests.cpu" => (&["1m", "1"], "cpu"),
        "limits.memory" | "requests.memory" => (&BYTES, "memory"),
        "limits.ephemeral-storage" | "requests.ephemeral-storage" => (&BYTES, "local ephemeral storage"),
        _ if is_huge => (&BYTES, "hugepages"),
        _ => return,
    };
    if !allowed.contains(&divisor) {
        let values = if what == "cpu" { "1m and 1".to_owned() } else { BYTES.join(", ") };
        let detail = format!("only divisor's values {values} are supported with the {what} resource");
        errors.invalid(&path.child("divisor"), &name, &detail);
    }
}
