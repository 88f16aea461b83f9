//! The pod template of a workload.

use squall_proto::core::v1::PodTemplateSpec;

use super::{annotations, security, validate_spec};
use crate::field::{Errors, Path};
use crate::labels::Selector;

/// Validates the template of a workload. `workload` is its name in Kubernetes' message. No selector selects nothing.
pub fn validate_template(
    template: &PodTemplateSpec,
    selector: Option<&Selector>,
    workload: &str,
    path: &Path,
    errors: &mut Errors,
) {
    let labels = path.child("metadata").child("labels");
    if !selector.is_some_and(|selector| selector.matches(&template.metadata.labels)) {
        let given = Some(&template.metadata.labels).filter(|labels| !labels.is_empty());
        errors.invalid(&labels, &given, "`selector` does not match template `labels`");
    }
    let (metadata, spec) = (&template.metadata, &template.spec);
    crate::labels::validate(&metadata.labels, &path.child("labels"), errors);
    let annotated = path.child("annotations");
    crate::annotations::validate(&metadata.annotations, &annotated, errors);
    annotations::validate_annotations(&metadata.annotations, spec, &annotated, errors);
    let spec_path = path.child("spec");
    validate_spec(spec, None, &spec_path, errors);
    security::validate_annotated(&metadata.annotations, spec, &spec_path, errors);
    if !spec.ephemeral_containers.is_empty() {
        errors.forbidden(&spec_path.child("ephemeralContainers"), "ephemeral containers not allowed in pod template");
    }
    if spec.restart_policy != "Always" {
        errors.not_supported(&spec_path.child("restartPolicy"), &spec.restart_policy, &["Always"]);
    }
    if spec.active_deadline_seconds.is_some() {
        let detail = format!("activeDeadlineSeconds in {workload} is not Supported");
        errors.forbidden(&spec_path.child("activeDeadlineSeconds"), &detail);
    }
}
