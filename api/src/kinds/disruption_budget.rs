//! PodDisruptionBudget.

use jiff::Timestamp;
use squall_proto::policy::v1::PodDisruptionBudget;

use super::{Kind, KindInfo, Resource, Scope, StatusUpdate};
use crate::table::{Column, narrow};
use crate::{age, names};

impl Resource for PodDisruptionBudget {
    const KIND: Kind = Kind::PodDisruptionBudget;
    const INFO: KindInfo = KindInfo {
        kind: "PodDisruptionBudget",
        group: "policy",
        version: "v1",
        plural: "poddisruptionbudgets",
        singular: "poddisruptionbudget",
        short_names: &["pdb"],
        scope: Scope::Namespaced,
        message: "policy.v1.PodDisruptionBudget",
        name_rule: names::dns1123_subdomain,
        create_on_update: false,
        in_all: false,
    };
    const COLUMNS: &'static [Column] = &[
        narrow("Name"),
        narrow("Min Available"),
        narrow("Max Unavailable"),
        narrow("Allowed Disruptions").integer(),
        narrow("Age"),
    ];

    fn prepare_create(&mut self) {
        self.status = Default::default();
        self.metadata.generation = 1;
    }

    fn prepare_update(&mut self, old: &Self) {
        self.status = old.status.clone();
        if self.spec != old.spec {
            self.metadata.generation = old.metadata.generation + 1;
        }
    }

    fn prepare_status_update(&mut self, old: &Self) -> StatusUpdate {
        self.spec = old.spec.clone();
        self.metadata = old.metadata.clone();
        StatusUpdate::Taken
    }

    fn row(&self, now: Timestamp) -> Vec<String> {
        let amount = |amount: &Option<squall_proto::intstr::IntOrString>| match amount {
            None => "N/A".to_owned(),
            Some(amount) => amount.as_int().map_or_else(|| amount.str_val.clone(), |number| number.to_string()),
        };
        vec![
            self.metadata.name.clone(),
            amount(&self.spec.min_available),
            amount(&self.spec.max_unavailable),
            self.status.disruptions_allowed.to_string(),
            age::since(&self.metadata.creation_timestamp, now),
        ]
    }
}
