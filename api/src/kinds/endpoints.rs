//! Endpoints, the older form of EndpointSlice.

use jiff::Timestamp;
use squall_proto::core::v1::Endpoints;

use super::{Kind, KindInfo, Resource, Scope, endpoints_rules};
use crate::field::{Errors, Path};
use crate::table::{Column, NONE, narrow};
use crate::warnings::Warnings;
use crate::{age, names};

/// How many addresses a table shows.
const SHOWN: usize = 3;

impl Resource for Endpoints {
    const KIND: Kind = Kind::Endpoints;
    const INFO: KindInfo = KindInfo {
        kind: "Endpoints",
        group: "",
        version: "v1",
        plural: "endpoints",
        singular: "endpoints",
        short_names: &["ep"],
        scope: Scope::Namespaced,
        message: "core.v1.Endpoints",
        name_rule: names::dns1123_subdomain,
        create_on_update: true,
        in_all: false,
    };
    const COLUMNS: &'static [Column] = &[narrow("Name"), narrow("Endpoints"), narrow("Age")];

    fn set_defaults(&mut self) {
        for port in self.subsets.iter_mut().flat_map(|subset| &mut subset.ports) {
            if port.protocol.is_empty() {
                "TCP".clone_into(&mut port.protocol);
            }
        }
    }

    fn validate(&self, errors: &mut Errors) {
        endpoints_rules::validate(self, errors);
    }

    /// Kubernetes: not about those of the endpoints controller, which writes canonical addresses.
    fn warn(&self, _old: Option<&Self>, warnings: &mut Warnings) {
        let manager = self.metadata.labels.get("endpoints.kubernetes.io/managed-by");
        if manager.is_some_and(|manager| manager == "endpoint-controller") {
            return;
        }
        for (index, subset) in self.subsets.iter().enumerate() {
            let path = Path::new("subsets").index(index);
            for (index, address) in subset.addresses.iter().enumerate() {
                warnings.of_address(&path.child("addresses").index(index).child("ip"), &address.ip);
            }
            for (index, address) in subset.not_ready_addresses.iter().enumerate() {
                warnings.of_address(&path.child("notReadyAddresses").index(index).child("ip"), &address.ip);
            }
        }
    }

    fn row(&self, now: Timestamp) -> Vec<String> {
        let addresses: Vec<String> = self
            .subsets
            .iter()
            .flat_map(|subset| {
                subset
                    .ports
                    .iter()
                    .flat_map(|port| subset.addresses.iter().map(move |a| format!("{}:{}", a.ip, port.port)))
            })
            .collect();
        vec![self.metadata.name.clone(), first_few(&addresses), age::since(&self.metadata.creation_timestamp, now)]
    }
}

/// Formats the first addresses and the number of the others.
pub(super) fn first_few(texts: &[String]) -> String {
    match texts.len() {
        0 => NONE.to_owned(),
        count if count > SHOWN => format!("{} + {} more...", texts[..SHOWN].join(","), count.saturating_sub(SHOWN)),
        _ => texts.join(","),
    }
}
