//! Config maps, secrets and service accounts.

use std::fmt::Display;

use squall_proto::core::v1::{ConfigMap, Secret, ServiceAccount};

use super::layout::Layout;

fn title(layout: &mut Layout, text: impl Display) {
    layout.line(format_args!("\n{text}\n===="));
}

pub fn describe_config_map(layout: &mut Layout, map: &ConfigMap) {
    layout.head(&map.metadata);
    title(layout, "Data");
    for (key, value) in &map.data {
        layout.line(format_args!("{key}:\n----\n{value}\n"));
    }
    title(layout, "BinaryData");
    for (key, value) in &map.binary_data {
        layout.line(format_args!("{key}: {} bytes", value.len()));
    }
    layout.line("");
}

/// Describes a secret without showing its values.
pub fn describe_secret(layout: &mut Layout, secret: &Secret) {
    layout.head(&secret.metadata);
    layout.line("");
    layout.field("Type", &secret.r#type);
    title(layout, "Data");
    for (key, value) in &secret.data {
        layout.field(key, format_args!("{} bytes", value.len()));
    }
}

pub fn describe_service_account(layout: &mut Layout, account: &ServiceAccount) {
    layout.head(&account.metadata);
    let pulls: Vec<String> = account.image_pull_secrets.iter().map(|secret| secret.name.clone()).collect();
    let mounts: Vec<String> = account.secrets.iter().map(|secret| secret.name.clone()).collect();
    layout.list("Image pull secrets", &pulls);
    layout.list("Mountable secrets", &mounts);
    // The cluster creates no tokens.
    layout.list("Tokens", &[]);
}
