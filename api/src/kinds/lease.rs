//! Lease: leader election and node heartbeats.

use jiff::Timestamp;
use squall_proto::coordination::v1::Lease;

use super::{Kind, KindInfo, Resource, Scope};
use crate::field::{Errors, Path};
use crate::table::{Column, narrow};
use crate::{age, names};

impl Resource for Lease {
    const KIND: Kind = Kind::Lease;
    const INFO: KindInfo = KindInfo {
        kind: "Lease",
        group: "coordination.k8s.io",
        version: "v1",
        plural: "leases",
        singular: "lease",
        short_names: &[],
        scope: Scope::Namespaced,
        message: "coordination.v1.Lease",
        name_rule: names::dns1123_subdomain,
        create_on_update: true,
        in_all: false,
    };
    const COLUMNS: &'static [Column] = &[narrow("Name"), narrow("Holder"), narrow("Age")];

    fn validate(&self, errors: &mut Errors) {
        let path = Path::new("spec");
        if let Some(seconds) = self.spec.lease_duration_seconds
            && seconds <= 0
        {
            errors.invalid(&path.child("leaseDurationSeconds"), &seconds, "must be greater than 0");
        }
        if let Some(transitions) = self.spec.lease_transitions {
            errors.non_negative(&path.child("leaseTransitions"), transitions.into());
        }
    }

    fn row(&self, now: Timestamp) -> Vec<String> {
        vec![
            self.metadata.name.clone(),
            self.spec.holder_identity.clone().unwrap_or_default(),
            age::since(&self.metadata.creation_timestamp, now),
        ]
    }
}
