//! PodDisruptionBudget: its rules and table columns.

use jiff::Timestamp;
use serde::Serialize;
use squall_proto::intstr::IntOrString;
use squall_proto::meta::v1::LabelSelector;
use squall_proto::policy::v1::PodDisruptionBudget;

use super::amount::{is_over_100_percent, validate_amount};
use super::{Kind, KindInfo, Resource, Scope, StatusUpdate};
use crate::field::{Errors, Path};
use crate::labels::validate_selector;
use crate::table::{Column, narrow};
use crate::{age, names};

/// A spec as Kubernetes prints it in messages.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Printed<'a> {
    min_available: Option<&'a IntOrString>,
    selector: Option<&'a LabelSelector>,
    max_unavailable: Option<&'a IntOrString>,
    unhealthy_pod_eviction_policy: Option<&'a str>,
}

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

    fn validate(&self, errors: &mut Errors) {
        let (spec, path) = (&self.spec, Path::new("spec"));
        if spec.min_available.is_some() && spec.max_unavailable.is_some() {
            let printed = Printed {
                min_available: spec.min_available.as_ref(),
                selector: spec.selector.as_ref(),
                max_unavailable: spec.max_unavailable.as_ref(),
                unhealthy_pod_eviction_policy: spec.unhealthy_pod_eviction_policy.as_deref(),
            };
            errors.invalid(&path, &printed, "minAvailable and maxUnavailable cannot be both set");
        }
        for (field, amount) in [("minAvailable", &spec.min_available), ("maxUnavailable", &spec.max_unavailable)] {
            let (Some(amount), path) = (amount, path.child(field)) else { continue };
            validate_amount(amount, &path, errors);
            if is_over_100_percent(amount) {
                errors.invalid(&path, amount, "must not be greater than 100%");
            }
        }
        if let Some(selector) = &spec.selector {
            validate_selector(selector, &path.child("selector"), errors);
        }
        if let Some(policy) = &spec.unhealthy_pod_eviction_policy
            && !["AlwaysAllow", "IfHealthyBudget"].contains(&policy.as_str())
        {
            errors.not_supported(
                &path.child("unhealthyPodEvictionPolicy"),
                policy,
                &["AlwaysAllow", "IfHealthyBudget"],
            );
        }
    }

    fn prepare_create(&mut self) {
        self.status = Default::default();
        self.metadata.generation = 1;
    }

    fn prepare_update(&mut self, old: &Self) {
        self.status = old.status.clone();
        if self.spec != old.spec {
            self.metadata.generation = old.metadata.generation.saturating_add(1);
        }
    }

    fn prepare_status_update(&mut self, old: &Self) -> StatusUpdate {
        self.spec = old.spec.clone();
        StatusUpdate::Taken
    }

    fn row(&self, now: Timestamp) -> Vec<String> {
        let amount = |amount: &Option<IntOrString>| match amount {
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
