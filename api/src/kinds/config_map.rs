//! ConfigMap.

use jiff::Timestamp;
use squall_proto::core::v1::ConfigMap;

use super::{Kind, KindInfo, Resource, Scope};
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

    fn row(&self, now: Timestamp) -> Vec<String> {
        vec![
            self.metadata.name.clone(),
            (self.data.len() + self.binary_data.len()).to_string(),
            age::since(&self.metadata.creation_timestamp, now),
        ]
    }
}
