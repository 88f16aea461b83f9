//! A ReplicaSet or ReplicationController with the count of its pods.

use squall_proto::apps::v1::{ReplicaSet, ReplicaSetCondition};
use squall_proto::core::v1::{Pod, PodTemplateSpec, ReplicationController, ReplicationControllerCondition};
use squall_proto::meta::v1::ObjectMeta;

use super::layout::Layout;
use super::template;
use crate::labels::Selector;
use crate::meta;
use crate::table::{or_none, pairs};

/// The properties that are shown for both kinds.
struct Shown<'a> {
    meta: &'a ObjectMeta,
    selector: String,
    desired: i32,
    actual: i32,
    template: &'a PodTemplateSpec,
    /// Type, status, reason.
    conditions: Vec<[&'a str; 3]>,
}

pub fn describe_replica_set(layout: &mut Layout, set: &ReplicaSet, pods: &[Pod]) {
    let selector = Selector::from_label_selector(set.spec.selector.as_ref()).map(|selector| selector.to_string());
    let condition = |c: &'_ ReplicaSetCondition| [c.r#type.clone(), c.status.clone(), c.reason.clone()];
    let conditions: Vec<[String; 3]> = set.status.conditions.iter().map(condition).collect();
    let shown = Shown {
        meta: &set.metadata,
        selector: selector.unwrap_or_default(),
        desired: set.spec.replicas.unwrap_or(1),
        actual: set.status.replicas,
        template: &set.spec.template,
        conditions: conditions.iter().map(|cells| cells.each_ref().map(String::as_str)).collect(),
    };
    shown.describe(layout, pods);
}

pub fn describe_controller(layout: &mut Layout, controller: &ReplicationController, pods: &[Pod]) {
    let condition = |c: &'_ ReplicationControllerCondition| [c.r#type.clone(), c.status.clone(), c.reason.clone()];
    let conditions: Vec<[String; 3]> = controller.status.conditions.iter().map(condition).collect();
    let template = controller.spec.template.clone().unwrap_or_default();
    let shown = Shown {
        meta: &controller.metadata,
        selector: pairs(&controller.spec.selector),
        desired: controller.spec.replicas.unwrap_or(1),
        actual: controller.status.replicas,
        template: &template,
        conditions: conditions.iter().map(|cells| cells.each_ref().map(String::as_str)).collect(),
    };
    shown.describe(layout, pods);
}

impl Shown<'_> {
    fn describe(&self, layout: &mut Layout, pods: &[Pod]) {
        layout.identity(self.meta);
        layout.field("Selector", or_none(&self.selector));
        layout.pairs("Labels", &self.meta.labels);
        layout.annotations("Annotations", &self.meta.annotations);
        layout.controller(self.meta);
        layout.field("Replicas", format_args!("{} current / {} desired", self.actual, self.desired));
        let mine = |pod: &&Pod| meta::controller_of(&pod.metadata).is_some_and(|owner| owner.uid == self.meta.uid);
        let count = |phase: &str| pods.iter().filter(mine).filter(|pod| pod.status.phase == phase).count();
        let [running, waiting, succeeded, failed] = ["Running", "Pending", "Succeeded", "Failed"].map(count);
        layout.field(
            "Pods Status",
            format_args!("{running} Running / {waiting} Waiting / {succeeded} Succeeded / {failed} Failed"),
        );
        template::describe(layout, self.template);
        if !self.conditions.is_empty() {
            layout.line("Conditions:");
            layout.line("  Type\tStatus\tReason");
            layout.line("  ----\t------\t------");
            for [kind, status, reason] in &self.conditions {
                layout.line(format_args!("  {kind} \t{status}\t{reason}"));
            }
        }
    }
}
