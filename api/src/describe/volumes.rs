//! The volumes of a pod or a template.

use squall_proto::core::v1::{ProjectedVolumeSource, Volume};

use super::layout::Layout;

/// Describes the volumes. `indent` is the indentation of the heading: empty in a pod, two spaces in a template.
pub fn describe(layout: &mut Layout, volumes: &[Volume], indent: &str) {
    if volumes.is_empty() {
        layout.field(&format!("{indent}Volumes"), "<none>");
        return;
    }
    layout.line(format_args!("{indent}Volumes:"));
    let name_indent = if indent.is_empty() { "  " } else { "   " };
    for volume in volumes {
        layout.line(format_args!("{name_indent}{}:", volume.name));
        describe_source(layout, volume);
    }
}

fn describe_source(layout: &mut Layout, volume: &Volume) {
    let optional = |optional: Option<bool>| optional.unwrap_or(false);
    let source = &volume.volume_source;
    let mut is = |what: &str| layout.field("    Type", what);
    if let Some(empty) = &source.empty_dir {
        is("EmptyDir (a temporary directory that shares a pod's lifetime)");
        layout.field("    Medium", &empty.medium);
        let limit = empty.size_limit.as_ref().map_or("<unset>", |limit| &limit.string);
        layout.field("    SizeLimit", limit);
    } else if let Some(host) = &source.host_path {
        is("HostPath (bare host directory volume)");
        layout.field("    Path", &host.path);
        layout.field("    HostPathType", host.r#type.as_deref().unwrap_or_default());
    } else if let Some(secret) = &source.secret {
        is("Secret (a volume populated by a Secret)");
        layout.field("    SecretName", &secret.secret_name);
        layout.field("    Optional", optional(secret.optional));
    } else if let Some(map) = &source.config_map {
        is("ConfigMap (a volume populated by a ConfigMap)");
        layout.field("    Name", &map.local_object_reference.name);
        layout.field("    Optional", optional(map.optional));
    } else if let Some(projected) = &source.projected {
        is("Projected (a volume that contains injected data from multiple sources)");
        describe_projected(layout, projected);
    } else {
        layout.line("    <unknown>");
    }
}

fn describe_projected(layout: &mut Layout, projected: &ProjectedVolumeSource) {
    let optional = |optional: Option<bool>| optional.map_or_else(|| "<nil>".to_owned(), |value| value.to_string());
    for source in &projected.sources {
        if let Some(secret) = &source.secret {
            layout.field("    SecretName", &secret.local_object_reference.name);
            layout.field("    SecretOptionalName", optional(secret.optional));
        } else if source.downward_api.is_some() {
            layout.field("    DownwardAPI", true);
        } else if let Some(map) = &source.config_map {
            layout.field("    ConfigMapName", &map.local_object_reference.name);
            layout.field("    ConfigMapOptional", optional(map.optional));
        } else if let Some(token) = &source.service_account_token {
            layout.field("    TokenExpirationSeconds", token.expiration_seconds.unwrap_or_default());
        }
    }
}
