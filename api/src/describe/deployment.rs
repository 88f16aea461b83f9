//! A Deployment with its ReplicaSets.

use squall_proto::apps::v1::{Deployment, ReplicaSet};

use super::layout::{Layout, moment};
use super::template;
use crate::labels::Selector;
use crate::revision;
use crate::table::or_none;

pub fn describe(layout: &mut Layout, deployment: &Deployment, sets: &[ReplicaSet]) {
    let (meta, spec, status) = (&deployment.metadata, &deployment.spec, &deployment.status);
    layout.identity(meta);
    layout.field("CreationTimestamp", moment(&meta.creation_timestamp));
    layout.pairs("Labels", &meta.labels);
    layout.annotations("Annotations", &meta.annotations);
    let selector = Selector::from_label_selector(spec.selector.as_ref()).map(|selector| selector.to_string());
    layout.field("Selector", or_none(&selector.unwrap_or_default()));
    layout.field(
        "Replicas",
        format_args!(
            "{} desired | {} updated | {} total | {} available | {} unavailable",
            spec.replicas.unwrap_or(1),
            status.updated_replicas,
            status.replicas,
            status.available_replicas,
            status.unavailable_replicas
        ),
    );
    layout.field("StrategyType", &spec.strategy.r#type);
    layout.field("MinReadySeconds", spec.min_ready_seconds);
    if let Some(rolling) = &spec.strategy.rolling_update {
        let text = |limit: &Option<_>| limit.as_ref().map_or_else(|| "0".to_owned(), ToString::to_string);
        let (unavailable, surge) = (text(&rolling.max_unavailable), text(&rolling.max_surge));
        layout.field("RollingUpdateStrategy", format_args!("{unavailable} max unavailable, {surge} max surge"));
    }
    template::describe(layout, &spec.template);
    if !status.conditions.is_empty() {
        layout.line("Conditions:");
        layout.line("  Type\tStatus\tReason");
        layout.line("  ----\t------\t------");
        for condition in &status.conditions {
            layout.line(format_args!("  {} \t{}\t{}", condition.r#type, condition.status, condition.reason));
        }
    }
    describe_sets(layout, deployment, sets);
}

fn describe_sets(layout: &mut Layout, deployment: &Deployment, sets: &[ReplicaSet]) {
    let mut owned: Vec<&ReplicaSet> = sets.iter().filter(|set| revision::is_owned(set, deployment)).collect();
    let new = revision::find_new(deployment, &mut owned).map(|place| owned.remove(place));
    let text = |set: &&ReplicaSet| {
        let (actual, desired) = (set.status.replicas, set.spec.replicas.unwrap_or(1));
        format!("{} ({actual}/{desired} replicas created)", set.metadata.name)
    };
    let old: Vec<String> = owned.iter().map(text).collect();
    layout.field("OldReplicaSets", or_none(&old.join(", ")));
    layout.field("NewReplicaSet", or_none(&new.as_ref().map(text).unwrap_or_default()));
}
