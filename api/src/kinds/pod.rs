//! Pod: its rules, and the summary of its state that kubectl prints.

use jiff::Timestamp;
use squall_proto::core::v1::{Pod, PodCondition, PodStatus, Toleration};

use super::{Kind, KindInfo, Resource, Scope, StatusUpdate};
use super::{pod_spec, pod_summary, pod_warnings};
use crate::field::{Errors, Path};
use crate::table::{Column, NONE, narrow, or_none, wide};
use crate::warnings::Warnings;
use crate::{age, names};

impl Resource for Pod {
    const KIND: Kind = Kind::Pod;
    const INFO: KindInfo = KindInfo {
        kind: "Pod",
        group: "",
        version: "v1",
        plural: "pods",
        singular: "pod",
        short_names: &["po"],
        scope: Scope::Namespaced,
        message: "core.v1.Pod",
        name_rule: names::dns1123_subdomain,
        create_on_update: false,
        in_all: true,
    };
    const COLUMNS: &'static [Column] = &[
        narrow("Name"),
        narrow("Ready"),
        narrow("Status"),
        narrow("Restarts"),
        narrow("Age"),
        wide("IP"),
        wide("Node"),
        wide("Nominated Node"),
        wide("Readiness Gates"),
    ];

    fn set_defaults(&mut self) {
        pod_spec::set_spec_defaults(&mut self.spec);
        pod_spec::set_pod_defaults(&mut self.spec);
    }

    fn validate(&self, errors: &mut Errors) {
        let (metadata, spec) = (&self.metadata, &self.spec);
        pod_spec::validate_annotations(
            &metadata.annotations,
            spec,
            &Path::new("metadata").child("annotations"),
            errors,
        );
        let path = Path::new("spec");
        pod_spec::validate_pod(spec, metadata, &path, errors);
    }

    fn validate_update(&self, old: &Self, errors: &mut Errors) {
        pod_spec::validate_update(self, old, errors);
        if !old.spec.node_name.is_empty() && self.spec.node_name != old.spec.node_name {
            errors.forbidden(&Path::new("spec").child("nodeName"), "may not be changed once set");
        }
    }

    fn prepare_create(&mut self) {
        self.metadata.generation = 1;
        self.status =
            PodStatus { phase: "Pending".to_owned(), qos_class: qos_class(self).to_owned(), ..PodStatus::default() };
        let spec = &mut self.spec;
        pod_spec::merge_label_keys(spec, &self.metadata.labels);
        if spec.service_account_name.is_empty() {
            "default".clone_into(&mut spec.service_account_name);
        }
        spec.service_account.clone_from(&spec.service_account_name);
        spec.priority.get_or_insert(0);
        spec.preemption_policy.get_or_insert_with(|| "PreemptLowerPriority".to_owned());
        tolerate_lost_nodes(&mut spec.tolerations);
    }

    fn prepare_update(&mut self, old: &Self) {
        self.status = old.status.clone();
        tolerate_lost_nodes(&mut self.spec.tolerations);
        if self.spec != old.spec {
            self.metadata.generation = old.metadata.generation.saturating_add(1);
        }
    }

    fn prepare_status_update(&mut self, old: &Self) -> StatusUpdate {
        self.spec = old.spec.clone();
        self.metadata.owner_references.clone_from(&old.metadata.owner_references);
        StatusUpdate::Taken
    }

    fn selectable(&self, field: &str) -> Option<String> {
        match field {
            "spec.nodeName" => Some(self.spec.node_name.clone()),
            "spec.restartPolicy" => Some(self.spec.restart_policy.clone()),
            "spec.schedulerName" => Some(self.spec.scheduler_name.clone()),
            "spec.serviceAccountName" => Some(self.spec.service_account_name.clone()),
            "spec.hostNetwork" => Some(self.spec.host_network.to_string()),
            "status.phase" => Some(self.status.phase.clone()),
            "status.podIP" => Some(self.status.pod_ip.clone()),
            "status.nominatedNodeName" => Some(self.status.nominated_node_name.clone()),
            _ => None,
        }
    }

    /// Kubernetes: updates of pods cause none, since they are frequent and seldom by people.
    fn warn(&self, old: Option<&Self>, warnings: &mut Warnings) {
        if old.is_none() {
            pod_warnings::warn_of_name(&self.metadata.name, "the Pod's hostname", warnings);
            pod_warnings::warn(&self.metadata.annotations, &self.spec, &Path::default(), warnings);
        }
    }

    fn row(&self, now: Timestamp) -> Vec<String> {
        let summary = pod_summary::summarize(self);
        vec![
            self.metadata.name.clone(),
            format!("{}/{}", summary.ready, summary.total),
            summary.text.clone(),
            summary.restarts(now),
            age::since(&self.metadata.creation_timestamp, now),
            or_none(&self.status.pod_ip),
            or_none(&self.spec.node_name),
            or_none(&self.status.nominated_node_name),
            if self.spec.readiness_gates.is_empty() { NONE.to_owned() } else { readiness_gates(self) },
        ]
    }
}

/// Lets a pod stay on a lost node for five minutes, unless it says something else. Kubernetes: the admission plugin
/// DefaultTolerationSeconds, which also looks at updates.
fn tolerate_lost_nodes(tolerations: &mut Vec<Toleration>) {
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        tolerate(tolerations, key);
    }
}

fn tolerate(tolerations: &mut Vec<Toleration>, key: &str) {
    let tolerates = |toleration: &Toleration| {
        (toleration.key == key || toleration.key.is_empty()) && matches!(toleration.effect.as_str(), "" | "NoExecute")
    };
    if !tolerations.iter().any(tolerates) {
        tolerations.push(Toleration {
            key: key.to_owned(),
            operator: "Exists".to_owned(),
            effect: "NoExecute".to_owned(),
            toleration_seconds: Some(300),
            ..Toleration::default()
        });
    }
}

/// Returns Kubernetes' quality-of-service class, according to the containers' requests and limits.
fn qos_class(pod: &Pod) -> &'static str {
    let containers = || pod.spec.init_containers.iter().chain(&pod.spec.containers);
    if containers().all(|container| container.resources.requests.is_empty() && container.resources.limits.is_empty()) {
        return "BestEffort";
    }
    let guaranteed = containers().all(|container| {
        ["cpu", "memory"].iter().all(|name| {
            let limit = container.resources.limits.get(*name);
            limit.is_some() && limit == container.resources.requests.get(*name)
        })
    });
    if guaranteed { "Guaranteed" } else { "Burstable" }
}

fn readiness_gates(pod: &Pod) -> String {
    let gates = &pod.spec.readiness_gates;
    let met = gates
        .iter()
        .filter(|gate| pod_condition(pod, &gate.condition_type).is_some_and(|c| c.status == "True"))
        .count();
    format!("{met}/{}", gates.len())
}

/// Returns the condition of this type.
#[must_use]
pub fn pod_condition<'a>(pod: &'a Pod, condition_type: &str) -> Option<&'a PodCondition> {
    pod.status.conditions.iter().find(|condition| condition.r#type == condition_type)
}

/// Whether the pod's Ready condition is true.
#[must_use]
pub fn is_pod_ready(pod: &Pod) -> bool {
    pod_condition(pod, "Ready").is_some_and(|condition| condition.status == "True")
}

/// Whether the pod has finished.
#[must_use]
pub fn is_pod_terminal(pod: &Pod) -> bool {
    matches!(pod.status.phase.as_str(), "Succeeded" | "Failed")
}

/// Whether the pod counts as a replica: not finished and not being deleted.
#[must_use]
pub fn is_pod_active(pod: &Pod) -> bool {
    !is_pod_terminal(pod) && pod.metadata.deletion_timestamp.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_that_leaves_out_the_usual_tolerations_gets_them_back() {
        let mut old = Pod::default();
        old.prepare_create();
        let mut new = old.clone();
        let own = Toleration { key: "mine".to_owned(), operator: "Exists".to_owned(), ..Toleration::default() };
        new.spec.tolerations = vec![own];
        new.prepare_update(&old);
        let mut errors = Errors::default();
        new.validate_update(&old, &mut errors);
        assert!(errors.is_empty());
        let keys: Vec<&str> = new.spec.tolerations.iter().map(|one| one.key.as_str()).collect();
        assert_eq!(keys, ["mine", "node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"]);
        assert_eq!(new.metadata.generation, 2);
    }
}
