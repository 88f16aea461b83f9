//! ResourceQuota.

use jiff::Timestamp;
use squall_proto::core::v1::ResourceQuota;

use super::{Kind, KindInfo, Resource, Scope, StatusUpdate};
use crate::table::{Column, narrow};
use crate::{age, names};

impl Resource for ResourceQuota {
    const KIND: Kind = Kind::ResourceQuota;
    const INFO: KindInfo = KindInfo {
        kind: "ResourceQuota",
        group: "",
        version: "v1",
        plural: "resourcequotas",
        singular: "resourcequota",
        short_names: &["quota"],
        scope: Scope::Namespaced,
        message: "core.v1.ResourceQuota",
        name_rule: names::dns1123_subdomain,
        create_on_update: false,
        in_all: false,
    };
    const COLUMNS: &'static [Column] = &[narrow("Name"), narrow("Request"), narrow("Limit"), narrow("Age")];

    fn prepare_create(&mut self) {
        self.status = Default::default();
    }

    fn prepare_update(&mut self, old: &Self) {
        self.status = old.status.clone();
    }

    fn prepare_status_update(&mut self, old: &Self) -> StatusUpdate {
        self.spec = old.spec.clone();
        self.metadata = old.metadata.clone();
        StatusUpdate::Taken
    }

    fn row(&self, now: Timestamp) -> Vec<String> {
        let (mut requests, mut limits) = (Vec::new(), Vec::new());
        for (resource, hard) in &self.status.hard {
            let used = self.status.used.get(resource).map_or("0", |used| &used.string);
            let list = if resource.starts_with("limits.") { &mut limits } else { &mut requests };
            list.push(format!("{resource}: {used}/{}", hard.string));
        }
        vec![
            self.metadata.name.clone(),
            requests.join(", "),
            limits.join(", "),
            age::since(&self.metadata.creation_timestamp, now),
        ]
    }
}
