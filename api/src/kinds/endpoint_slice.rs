//! EndpointSlice: its rules and table columns.

use jiff::Timestamp;
use squall_proto::discovery::v1::EndpointSlice;

use super::endpoints::first_few;
use super::{Kind, KindInfo, Resource, Scope, endpoints_rules};
use crate::field::{Errors, Path};
use crate::table::{Column, narrow, or_none};
use crate::warnings::Warnings;
use crate::{age, names};

impl Resource for EndpointSlice {
    const KIND: Kind = Kind::EndpointSlice;
    const INFO: KindInfo = KindInfo {
        kind: "EndpointSlice",
        group: "discovery.k8s.io",
        version: "v1",
        plural: "endpointslices",
        singular: "endpointslice",
        short_names: &[],
        scope: Scope::Namespaced,
        message: "discovery.v1.EndpointSlice",
        name_rule: names::dns1123_subdomain,
        create_on_update: false,
        in_all: false,
    };
    const COLUMNS: &'static [Column] =
        &[narrow("Name"), narrow("AddressType"), narrow("Ports"), narrow("Endpoints"), narrow("Age")];

    fn set_defaults(&mut self) {
        for port in &mut self.ports {
            port.name.get_or_insert_default();
            port.protocol.get_or_insert_with(|| "TCP".to_owned());
        }
    }

    fn validate(&self, errors: &mut Errors) {
        endpoints_rules::validate_slice(self, errors);
    }

    fn validate_update(&self, old: &Self, errors: &mut Errors) {
        if self.address_type != old.address_type {
            errors.invalid(&Path::new("addressType"), &self.address_type, "field is immutable");
        }
    }

    fn prepare_create(&mut self) {
        self.metadata.generation = 1;
    }

    fn prepare_update(&mut self, old: &Self) {
        if self.endpoints != old.endpoints || self.ports != old.ports {
            self.metadata.generation = old.metadata.generation.saturating_add(1);
        }
    }

    fn warn(&self, old: Option<&Self>, warnings: &mut Warnings) {
        if old.is_none() && self.address_type == "FQDN" {
            // The path is Kubernetes' own.
            warnings.at(&Path::new("spec").child("addressType"), "FQDN endpoints are deprecated");
        }
    }

    fn row(&self, now: Timestamp) -> Vec<String> {
        let ports: Vec<String> = self.ports.iter().filter_map(|port| port.port).map(|port| port.to_string()).collect();
        let addresses: Vec<String> = self.endpoints.iter().flat_map(|endpoint| endpoint.addresses.clone()).collect();
        vec![
            self.metadata.name.clone(),
            self.address_type.clone(),
            if ports.is_empty() { "<unset>".to_owned() } else { or_none(&ports.join(",")) },
            if addresses.is_empty() { "<unset>".to_owned() } else { first_few(&addresses) },
            age::since(&self.metadata.creation_timestamp, now),
        ]
    }
}
