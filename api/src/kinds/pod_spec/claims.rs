//! Resource claims of a pod.

use std::collections::{BTreeSet, HashSet};

use serde::Serialize;
use squall_proto::core::v1::PodResourceClaim;

use crate::field::{Errors, Path};
use crate::names;

/// Returns the names that containers may refer to.
pub(super) fn names(claims: &[PodResourceClaim]) -> BTreeSet<&str> {
    claims.iter().map(|claim| claim.name.as_str()).filter(|name| !name.is_empty()).collect()
}

/// A claim as Kubernetes prints it in messages.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Printed<'a> {
    name: &'a str,
    resource_claim_name: Option<&'a str>,
    resource_claim_template_name: Option<&'a str>,
}

pub(super) fn validate(claims: &[PodResourceClaim], path: &Path, errors: &mut Errors) {
    let mut seen = HashSet::new();
    for (index, claim) in claims.iter().enumerate() {
        let path = path.index(index);
        if claim.name.is_empty() {
            errors.required(&path.child("name"), "");
        } else if seen.insert(&claim.name) {
            errors.named(&path.child("name"), &claim.name, names::dns1123_label);
        } else {
            errors.duplicate(&path.child("name"), &claim.name);
        }
        validate_source(claim, &path, errors);
    }
}

fn validate_source(claim: &PodResourceClaim, path: &Path, errors: &mut Errors) {
    let (name, template) = (claim.resource_claim_name.as_deref(), claim.resource_claim_template_name.as_deref());
    let problem = match (name, template) {
        (Some(_), Some(_)) => {
            Some("at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified")
        }
        (None, None) => Some("must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"),
        _ => None,
    };
    if let Some(problem) = problem {
        let printed = Printed { name: &claim.name, resource_claim_name: name, resource_claim_template_name: template };
        errors.invalid(path, &printed, problem);
    }
    for (field, value) in [("resourceClaimName", name), ("resourceClaimTemplateName", template)] {
        if let Some(value) = value {
            errors.named(&path.child(field), value, names::dns1123_subdomain);
        }
    }
}
