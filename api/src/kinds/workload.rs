//! The selector rules and table columns that Deployment, ReplicaSet and ReplicationController share.

use squall_proto::core::v1::PodSpec;
use squall_proto::meta::v1::LabelSelector;

use crate::field::{Errors, Path};
use crate::labels::Selector;
use crate::table::or_none;

/// Validates a required selector. Reports whether its workload can be validated with it.
pub(super) fn validate_selector(selector: Option<&LabelSelector>, errors: &mut Errors) -> bool {
    let path = Path::new("spec").child("selector");
    match selector {
        None => errors.required(&path, ""),
        Some(selector) if selector.match_labels.is_empty() && selector.match_expressions.is_empty() => {
            // Kubernetes says "deployment" here for a ReplicaSet too.
            errors.invalid(&path, selector, "empty selector is invalid for deployment");
        }
        Some(selector) => {
            let mut own = Errors::default();
            crate::labels::validate_selector(selector, &path, &mut own);
            let is_valid = own.is_empty();
            errors.append(own);
            if !is_valid {
                errors.invalid(&path, selector, "invalid label selector");
            }
            return is_valid;
        }
    }
    true
}

/// Rejects a change of a workload's selector.
pub(super) fn validate_selector_update(new: Option<&LabelSelector>, old: Option<&LabelSelector>, errors: &mut Errors) {
    if new != old {
        errors.invalid(&Path::new("spec").child("selector"), &new, "field is immutable");
    }
}

/// Formats the names of the containers for a table.
pub(super) fn container_names(spec: &PodSpec) -> String {
    let names: Vec<&str> = spec.containers.iter().map(|container| container.name.as_str()).collect();
    or_none(&names.join(","))
}

/// Formats the images of the containers for a table.
pub(super) fn container_images(spec: &PodSpec) -> String {
    let images: Vec<&str> = spec.containers.iter().map(|container| container.image.as_str()).collect();
    or_none(&images.join(","))
}

/// Formats a selector for a table.
pub(super) fn selector_text(selector: Option<&LabelSelector>) -> String {
    or_none(&Selector::from_label_selector(selector).map(|selector| selector.to_string()).unwrap_or_default())
}
