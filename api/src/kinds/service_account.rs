//! ServiceAccount: its rules and table columns.

use jiff::Timestamp;
use squall_proto::core::v1::ServiceAccount;

use super::{Kind, KindInfo, Resource, Scope};
use crate::table::{Column, narrow};
use crate::{age, names};

impl Resource for ServiceAccount {
    const KIND: Kind = Kind::ServiceAccount;
    const INFO: KindInfo = KindInfo {
        kind: "ServiceAccount",
        group: "",
        version: "v1",
        plural: "serviceaccounts",
        singular: "serviceaccount",
        short_names: &["sa"],
        scope: Scope::Namespaced,
        message: "core.v1.ServiceAccount",
        name_rule: names::dns1123_subdomain,
        create_on_update: false,
        in_all: false,
    };
    const COLUMNS: &'static [Column] = &[narrow("Name"), narrow("Secrets"), narrow("Age")];

    fn row(&self, now: Timestamp) -> Vec<String> {
        vec![
            self.metadata.name.clone(),
            self.secrets.len().to_string(),
            age::since(&self.metadata.creation_timestamp, now),
        ]
    }
}
