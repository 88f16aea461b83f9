//! Disruption budgets, quotas, and namespaces with their quotas.

use squall_proto::core::v1::{Namespace, NamespaceCondition, ResourceQuota};
use squall_proto::policy::v1::PodDisruptionBudget;
use squall_proto::resource::Quantity;

use super::layout::{Layout, moment};
use crate::labels::Selector;
use crate::table::or_none;

pub fn describe_budget(layout: &mut Layout, budget: &PodDisruptionBudget) {
    layout.identity(&budget.metadata);
    let (spec, status) = (&budget.spec, &budget.status);
    match (&spec.min_available, &spec.max_unavailable) {
        (Some(least), _) => layout.field("Min available", least),
        (None, Some(most)) => layout.field("Max unavailable", most),
        (None, None) => {}
    }
    let selector = Selector::from_label_selector(spec.selector.as_ref()).map(|selector| selector.to_string());
    layout.field("Selector", selector.unwrap_or_else(|| "<unset>".to_owned()));
    layout.line("Status:");
    layout.field("    Allowed disruptions", status.disruptions_allowed);
    layout.field("    Current", status.current_healthy);
    layout.field("    Desired", status.desired_healthy);
    layout.field("    Total", status.expected_pods);
}

pub fn describe_quota(layout: &mut Layout, quota: &ResourceQuota) {
    layout.identity(&quota.metadata);
    layout.line("Resource\tUsed\tHard\n--------\t----\t----");
    amounts(layout, quota, "");
}

/// Describes how much of each resource is used and allowed.
fn amounts(layout: &mut Layout, quota: &ResourceQuota, indent: &str) {
    for (resource, hard) in &quota.status.hard {
        let used = quota.status.used.get(resource).cloned().unwrap_or_else(|| Quantity { string: "0".to_owned() });
        layout.line(format_args!("{indent}{resource}\t{}\t{}", used.string, hard.string));
    }
}

pub fn describe_namespace(layout: &mut Layout, namespace: &Namespace, quotas: &[ResourceQuota]) {
    layout.head(&namespace.metadata);
    layout.field("Status", or_none(&namespace.status.phase));
    if !namespace.status.conditions.is_empty() {
        layout.line("Conditions:");
        layout.line("  Type\tStatus\tLastTransitionTime\tReason\tMessage");
        layout.line("  ----\t------\t------------------\t------\t-------");
        for condition in &namespace.status.conditions {
            let NamespaceCondition { r#type, status, reason, message, last_transition_time } = condition;
            let transition = moment(last_transition_time);
            layout.line(format_args!("  {type}\t{status}\t{transition}\t{reason}\t{message}"));
        }
    }
    if quotas.is_empty() {
        layout.line("\nNo resource quota.");
        return;
    }
    layout.line("\nResource Quotas");
    for quota in quotas {
        layout.line(format_args!("  Name:\t{}\n  Resource\tUsed\tHard\n  --------\t---\t---", quota.metadata.name));
        amounts(layout, quota, "  ");
    }
}
