//! ConfigMap: its rules and table columns.

use jiff::Timestamp;
use squall_proto::core::v1::ConfigMap;

use super::data::{validate_fixed, validate_keys, validate_size};
use super::{Kind, KindInfo, Resource, Scope};
use crate::field::{Errors, Path};
use crate::table::{Column, narrow};
use crate::{age, names};

impl Resource for ConfigMap {
    const KIND: Kind = Kind::ConfigMap;
    const INFO: KindInfo = KindInfo {
        kind: "ConfigMap",
        group: "",
        version: "v1",
        plural: "configmaps",
        singular: "configmap",
        short_names: &["cm"],
        scope: Scope::Namespaced,
        message: "core.v1.ConfigMap",
        name_rule: names::dns1123_subdomain,
        create_on_update: false,
        in_all: false,
    };
    const COLUMNS: &'static [Column] = &[narrow("Name"), narrow("Data"), narrow("Age")];

    fn validate(&self, errors: &mut Errors) {
        validate_keys(self.data.keys(), "data", errors);
        for key in self.data.keys().filter(|key| self.binary_data.contains_key(*key)) {
            errors.invalid(&Path::new("data").key(key), key, "duplicate of key present in binaryData");
        }
        validate_keys(self.binary_data.keys(), "binaryData", errors);
        let texts: usize = self.data.values().map(String::len).sum();
        validate_size(texts.saturating_add(self.binary_data.values().map(Vec::len).sum()), errors);
    }

    fn validate_update(&self, old: &Self, errors: &mut Errors) {
        let changed = [("data", self.data != old.data), ("binaryData", self.binary_data != old.binary_data)];
        validate_fixed(old.immutable, self.immutable, &changed, errors);
    }

    fn row(&self, now: Timestamp) -> Vec<String> {
        vec![
            self.metadata.name.clone(),
            self.data.len().saturating_add(self.binary_data.len()).to_string(),
            age::since(&self.metadata.creation_timestamp, now),
        ]
    }
}
