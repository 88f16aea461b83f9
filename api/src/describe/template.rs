//! The template from which a workload creates its pods.

use squall_proto::core::v1::PodTemplateSpec;

use super::layout::Layout;
use super::{containers, volumes};

/// Describes the template as a part of a description.
pub fn describe(layout: &mut Layout, template: &PodTemplateSpec) {
    layout.line("Pod Template:");
    layout.pairs("  Labels", &template.metadata.labels);
    if !template.metadata.annotations.is_empty() {
        layout.annotations("  Annotations", &template.metadata.annotations);
    }
    let spec = &template.spec;
    layout.field_if_set("  Service Account", &spec.service_account_name);
    if !spec.init_containers.is_empty() {
        containers::describe(layout, "Init Containers", &spec.init_containers, &[], "  ");
    }
    containers::describe(layout, "Containers", &spec.containers, &[], "  ");
    volumes::describe(layout, &spec.volumes, "  ");
    layout.field_if_set("  Priority Class Name", &spec.priority_class_name);
    layout.pairs("  Node-Selectors", &spec.node_selector);
    layout.tolerations("  Tolerations", &spec.tolerations);
}
