//! Roles and bindings.

use squall_proto::meta::v1::ObjectMeta;
use squall_proto::rbac::v1::{PolicyRule, RoleRef, Subject};

use super::layout::Layout;
use crate::access;

/// Describes a role: its name, and its rules with one resource or path each, joined by their verbs.
pub fn describe_role(layout: &mut Layout, meta: &ObjectMeta, rules: &[PolicyRule]) {
    head(layout, meta);
    layout.line("PolicyRule:");
    layout.line("  Resources\tNon-Resource URLs\tResource Names\tVerbs");
    layout.line("  ---------\t-----------------\t--------------\t-----");
    let single = access::break_down(rules).unwrap_or_else(|| rules.to_vec());
    let mut compact = access::compact(single);
    // Kubernetes: by the text of the rule, which begins with its verbs.
    compact.sort_by_key(|rule| (rule.verbs.clone(), rule.api_groups.clone(), rule.resources.clone()));
    for rule in &compact {
        let list = |words: &[String]| format!("[{}]", words.join(" "));
        let (urls, names) = (list(&rule.non_resource_urls), list(&rule.resource_names));
        layout.line(format_args!("  {}\t{urls}\t{names}\t{}", access::resource_text(rule), list(&rule.verbs)));
    }
}

/// Describes a binding.
pub fn describe_binding(layout: &mut Layout, meta: &ObjectMeta, role: &RoleRef, subjects: &[Subject]) {
    head(layout, meta);
    layout.line("Role:");
    layout.field("  Kind", &role.kind);
    layout.field("  Name", &role.name);
    layout.line("Subjects:");
    layout.line("  Kind\tName\tNamespace");
    layout.line("  ----\t----\t---------");
    for subject in subjects {
        layout.line(format_args!("  {}\t{}\t{}", subject.kind, subject.name, subject.namespace));
    }
}

/// kubectl: without the namespace.
fn head(layout: &mut Layout, meta: &ObjectMeta) {
    layout.field("Name", &meta.name);
    layout.pairs("Labels", &meta.labels);
    layout.annotations("Annotations", &meta.annotations);
}
