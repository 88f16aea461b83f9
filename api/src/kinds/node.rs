//! Node: its rules and table columns.

use jiff::Timestamp;
use squall_proto::core::v1::{Node, NodeCondition, Taint, Toleration};

use super::{Kind, KindInfo, Resource, Scope, StatusUpdate, node_rules};
use crate::field::{Errors, Path};
use crate::table::{Column, narrow, or_none, wide};
use crate::warnings::Warnings;
use crate::{age, names};

const ROLE_PREFIX: &str = "node-role.kubernetes.io/";

impl Resource for Node {
    const KIND: Kind = Kind::Node;
    const INFO: KindInfo = KindInfo {
        kind: "Node",
        group: "",
        version: "v1",
        plural: "nodes",
        singular: "node",
        short_names: &["no"],
        scope: Scope::Cluster,
        message: "core.v1.Node",
        name_rule: names::dns1123_subdomain,
        create_on_update: false,
        in_all: false,
    };
    const COLUMNS: &'static [Column] = &[
        narrow("Name"),
        narrow("Status"),
        narrow("Roles"),
        narrow("Age"),
        narrow("Version"),
        wide("Internal-IP"),
        wide("External-IP"),
        wide("OS-Image"),
        wide("Kernel-Version"),
        wide("Container-Runtime"),
    ];

    fn set_defaults(&mut self) {
        if self.status.allocatable.is_empty() {
            self.status.allocatable.clone_from(&self.status.capacity);
        }
    }

    fn validate(&self, errors: &mut Errors) {
        node_rules::validate(self, errors);
    }

    fn validate_update(&self, old: &Self, errors: &mut Errors) {
        node_rules::validate_update(&self.spec, &old.spec, errors);
    }

    fn prepare_update(&mut self, old: &Self) {
        self.status = old.status.clone();
    }

    fn prepare_status_update(&mut self, old: &Self) -> StatusUpdate {
        self.spec = old.spec.clone();
        StatusUpdate::Taken
    }

    fn selectable(&self, field: &str) -> Option<String> {
        (field == "spec.unschedulable").then(|| self.spec.unschedulable.to_string())
    }

    fn warn(&self, _old: Option<&Self>, warnings: &mut Warnings) {
        if self.spec.config_source.is_some() {
            warnings.say("spec.configSource: the feature is removed".to_owned());
        }
        if !self.spec.external_id.is_empty() {
            warnings.say("spec.externalID: this field is deprecated, and is unused by Kubernetes".to_owned());
        }
        for (index, range) in self.spec.pod_cidrs.iter().enumerate() {
            warnings.of_range(&Path::new("spec").child("podCIDRs").index(index), range);
        }
    }

    fn row(&self, now: Timestamp) -> Vec<String> {
        let info = &self.status.node_info;
        let address = |kind: &str| {
            let found = self.status.addresses.iter().find(|address| address.r#type == kind);
            or_none(found.map_or("", |address| &address.address))
        };
        let unknown = |text: &str| if text.is_empty() { "<unknown>".to_owned() } else { text.to_owned() };
        vec![
            self.metadata.name.clone(),
            status_text(self),
            roles(self),
            age::since(&self.metadata.creation_timestamp, now),
            info.kubelet_version.clone(),
            address("InternalIP"),
            address("ExternalIP"),
            unknown(&info.os_image),
            unknown(&info.kernel_version),
            unknown(&info.container_runtime_version),
        ]
    }
}

/// Whether a toleration covers a taint; an empty key or effect covers every key or effect.
#[must_use]
pub fn covers(toleration: &Toleration, taint: &Taint) -> bool {
    let key = toleration.key.is_empty() || toleration.key == taint.key;
    let value = toleration.operator == "Exists" || toleration.value == taint.value;
    let effect = toleration.effect.is_empty() || toleration.effect == taint.effect;
    key && value && effect
}

fn ready_condition(node: &Node) -> Option<&NodeCondition> {
    node.status.conditions.iter().find(|condition| condition.r#type == "Ready")
}

fn status_text(node: &Node) -> String {
    let mut text = match ready_condition(node) {
        None => "Unknown",
        Some(condition) if condition.status == "True" => "Ready",
        Some(_) => "NotReady",
    }
    .to_owned();
    if node.spec.unschedulable {
        text.push_str(",SchedulingDisabled");
    }
    text
}

fn roles(node: &Node) -> String {
    let labels = &node.metadata.labels;
    let mut roles: Vec<&str> = labels.keys().filter_map(|key| key.strip_prefix(ROLE_PREFIX)).collect();
    roles.extend(labels.get("kubernetes.io/role").map(String::as_str));
    roles.sort_unstable();
    or_none(&roles.join(","))
}
