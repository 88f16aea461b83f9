//! Defaults of a pod's spec.

use squall_proto::core::v1::{
    Container, DownwardApiVolumeFile, EnvVar, HttpGetAction, PodSpec, Probe, Volume, VolumeSource,
};

use super::resources;

/// Kubernetes: files of config maps, secrets and fields can be read by all.
const FILE_MODE: i32 = 0o644;
/// Kubernetes: a token lives an hour.
const TOKEN_SECONDS: i64 = 3_600;

/// Fills in the defaults of a spec, wherever it is.
pub fn set_spec_defaults(spec: &mut PodSpec) {
    default(&mut spec.restart_policy, "Always");
    default(&mut spec.dns_policy, "ClusterFirst");
    default(&mut spec.scheduler_name, "default-scheduler");
    spec.termination_grace_period_seconds.get_or_insert(30);
    if spec.service_account_name.is_empty() {
        spec.service_account_name.clone_from(&spec.service_account);
    }
    // Its old name.
    spec.service_account.clone_from(&spec.service_account_name);
    spec.security_context.get_or_insert_default();
    spec.volumes.iter_mut().for_each(set_volume_defaults);
    spec.init_containers.iter_mut().chain(&mut spec.containers).for_each(set_container_defaults);
}

/// Fills in the defaults that only pods get, and templates do not.
pub fn set_pod_defaults(spec: &mut PodSpec) {
    if let Some(grace) = spec.termination_grace_period_seconds.as_mut().filter(|grace| **grace < 0) {
        // Kubernetes: as short as possible.
        *grace = 1;
    }
    for container in spec.init_containers.iter_mut().chain(&mut spec.containers) {
        let resources = &mut container.resources;
        for (name, amount) in &resources.limits {
            resources.requests.entry(name.clone()).or_insert_with(|| amount.clone());
        }
    }
    resources::set_pod_defaults(spec);
    spec.enable_service_links.get_or_insert(true);
    if spec.host_network {
        let containers = spec.init_containers.iter_mut().chain(&mut spec.containers);
        for port in containers.flat_map(|container| &mut container.ports).filter(|port| port.host_port == 0) {
            port.host_port = port.container_port;
        }
    }
}

fn default(field: &mut String, value: &str) {
    if field.is_empty() {
        value.clone_into(field);
    }
}

fn set_container_defaults(container: &mut Container) {
    default(&mut container.termination_message_path, "/dev/termination-log");
    default(&mut container.termination_message_policy, "File");
    let policy = default_pull_policy(&container.image);
    default(&mut container.image_pull_policy, policy);
    for port in &mut container.ports {
        default(&mut port.protocol, "TCP");
    }
    container.env.iter_mut().for_each(set_variable_defaults);
    for probe in [&mut container.liveness_probe, &mut container.readiness_probe, &mut container.startup_probe] {
        probe.as_mut().map(set_probe_defaults);
    }
    if let Some(lifecycle) = &mut container.lifecycle {
        for hook in [&mut lifecycle.post_start, &mut lifecycle.pre_stop].into_iter().flatten() {
            hook.http_get.as_mut().map(set_get_defaults);
        }
    }
}

fn set_variable_defaults(variable: &mut EnvVar) {
    let Some(source) = &mut variable.value_from else { return };
    if let Some(field) = &mut source.field_ref {
        default(&mut field.api_version, "v1");
    }
    if let Some(file) = &mut source.file_key_ref {
        file.optional.get_or_insert(false);
    }
}

/// Kubernetes: an image with the tag `latest` or without a tag is always pulled; with another tag or a digest, only if
/// absent. So is what is no name of an image.
fn default_pull_policy(image: &str) -> &'static str {
    if image.is_empty() || image.contains(char::is_whitespace) {
        return "IfNotPresent";
    }
    let name = image.rsplit('/').next().unwrap_or(image);
    let fixed = name.contains('@') || name.split_once(':').is_some_and(|(_, tag)| tag != "latest");
    if fixed { "IfNotPresent" } else { "Always" }
}

fn set_probe_defaults(probe: &mut Probe) {
    let default = |field: &mut i32, value| {
        if *field == 0 {
            *field = value;
        }
    };
    default(&mut probe.timeout_seconds, 1);
    default(&mut probe.period_seconds, 10);
    default(&mut probe.success_threshold, 1);
    default(&mut probe.failure_threshold, 3);
    probe.handler.http_get.as_mut().map(set_get_defaults);
    if let Some(grpc) = &mut probe.handler.grpc {
        grpc.service.get_or_insert_default();
    }
}

fn set_get_defaults(get: &mut HttpGetAction) {
    default(&mut get.path, "/");
    default(&mut get.scheme, "HTTP");
}

fn set_volume_defaults(volume: &mut Volume) {
    let source = &mut volume.volume_source;
    if *source == VolumeSource::default() {
        source.empty_dir.get_or_insert_default();
    }
    if let Some(path) = &mut source.host_path {
        path.r#type.get_or_insert_default();
    }
    if let Some(secret) = &mut source.secret {
        secret.default_mode.get_or_insert(FILE_MODE);
    }
    if let Some(map) = &mut source.config_map {
        map.default_mode.get_or_insert(FILE_MODE);
    }
    if let Some(fields) = &mut source.downward_api {
        fields.default_mode.get_or_insert(FILE_MODE);
        fields.items.iter_mut().for_each(set_file_defaults);
    }
    if let Some(projected) = &mut source.projected {
        projected.default_mode.get_or_insert(FILE_MODE);
        for source in &mut projected.sources {
            source.downward_api.iter_mut().flat_map(|fields| &mut fields.items).for_each(set_file_defaults);
            if let Some(token) = &mut source.service_account_token {
                token.expiration_seconds.get_or_insert(TOKEN_SECONDS);
            }
        }
    }
    if let Some(template) = source.ephemeral.as_mut().and_then(|source| source.volume_claim_template.as_mut()) {
        template.spec.volume_mode.get_or_insert_with(|| "Filesystem".to_owned());
    }
    if let Some(image) = &mut source.image {
        let policy = default_pull_policy(&image.reference);
        default(&mut image.pull_policy, policy);
    }
    set_disk_defaults(source);
}

fn set_file_defaults(file: &mut DownwardApiVolumeFile) {
    if let Some(field) = &mut file.field_ref {
        default(&mut field.api_version, "v1");
    }
}

fn set_disk_defaults(source: &mut VolumeSource) {
    if let Some(iscsi) = &mut source.iscsi {
        default(&mut iscsi.iscsi_interface, "default");
    }
    if let Some(rbd) = &mut source.rbd {
        default(&mut rbd.pool, "rbd");
        default(&mut rbd.user, "admin");
        default(&mut rbd.keyring, "/etc/ceph/keyring");
    }
    if let Some(disk) = &mut source.azure_disk {
        disk.caching_mode.get_or_insert_with(|| "ReadWrite".to_owned());
        disk.fs_type.get_or_insert_with(|| "ext4".to_owned());
        disk.read_only.get_or_insert(false);
        disk.kind.get_or_insert_with(|| "Shared".to_owned());
    }
    if let Some(disk) = &mut source.scale_io {
        default(&mut disk.storage_mode, "ThinProvisioned");
        default(&mut disk.fs_type, "xfs");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_decides_the_pull_policy() {
        for (image, policy) in [
            ("luksa/kubia:v1", "IfNotPresent"),
            ("luksa/kubia", "Always"),
            ("kubia:latest", "Always"),
            ("localhost:5000/kubia", "Always"),
            ("kubia@sha256:0", "IfNotPresent"),
            (" kubia", "IfNotPresent"),
        ] {
            assert_eq!(default_pull_policy(image), policy, "{image}");
        }
    }
}
