//! Secret.

use jiff::Timestamp;
use squall_proto::core::v1::Secret;

use super::{Kind, KindInfo, Resource, Scope};
use crate::table::{Column, narrow};
use crate::{age, names};

impl Resource for Secret {
    const KIND: Kind = Kind::Secret;
    const INFO: KindInfo = KindInfo {
        kind: "Secret",
        group: "",
        version: "v1",
        plural: "secrets",
        singular: "secret",
        short_names: &[],
        scope: Scope::Namespaced,
        message: "core.v1.Secret",
        name_rule: names::dns1123_subdomain,
        create_on_update: false,
        in_all: false,
    };
    const COLUMNS: &'static [Column] = &[narrow("Name"), narrow("Type"), narrow("Data"), narrow("Age")];

    fn set_defaults(&mut self) {
        if self.r#type.is_empty() {
            "Opaque".clone_into(&mut self.r#type);
        }
    }

    fn prepare_create(&mut self) {
        store_string_data(self);
    }

    fn prepare_update(&mut self, _old: &Self) {
        store_string_data(self);
    }

    fn selectable(&self, field: &str) -> Option<String> {
        (field == "type").then(|| self.r#type.clone())
    }

    fn row(&self, now: Timestamp) -> Vec<String> {
        vec![
            self.metadata.name.clone(),
            self.r#type.clone(),
            self.data.len().to_string(),
            age::since(&self.metadata.creation_timestamp, now),
        ]
    }
}

/// `stringData` is write-only: it is kept as `data`.
fn store_string_data(secret: &mut Secret) {
    for (key, value) in std::mem::take(&mut secret.string_data) {
        secret.data.insert(key, value.into_bytes());
    }
}
