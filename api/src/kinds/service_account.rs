//! ServiceAccount: its rules and table columns.

use jiff::Timestamp;
use squall_proto::core::v1::ServiceAccount;

use super::{Kind, KindInfo, Resource, Scope};
use crate::field::Path;
use crate::table::{Column, narrow};
use crate::warnings::Warnings;
use crate::{age, names};

const ENFORCE_MOUNTABLE: &str = "kubernetes.io/enforce-mountable-secrets";

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

    fn warn(&self, old: Option<&Self>, warnings: &mut Warnings) {
        let has = |account: &Self| account.metadata.annotations.contains_key(ENFORCE_MOUNTABLE);
        if has(self) && !old.is_some_and(has) {
            let text = "deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets";
            warnings.at(&Path::new("metadata").child("annotations").key(ENFORCE_MOUNTABLE), text);
        }
    }

    fn row(&self, now: Timestamp) -> Vec<String> {
        vec![
            self.metadata.name.clone(),
            self.secrets.len().to_string(),
            age::since(&self.metadata.creation_timestamp, now),
        ]
    }
}
