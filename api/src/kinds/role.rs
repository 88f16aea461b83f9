//! Role and ClusterRole: their rules and table columns.

use jiff::Timestamp;
use squall_proto::meta::v1::ObjectMeta;
use squall_proto::rbac::v1::{ClusterRole, PolicyRule, Role};

use super::{Kind, KindInfo, Resource, Scope};
use crate::field::{Errors, Path};
use crate::labels::{self, Selector};
use crate::names;
use crate::table::{Column, narrow};

const COLUMNS: &[Column] = &[narrow("Name"), narrow("Created At")];

impl Resource for Role {
    const KIND: Kind = Kind::Role;
    const INFO: KindInfo = KindInfo {
        kind: "Role",
        group: "rbac.authorization.k8s.io",
        version: "v1",
        plural: "roles",
        singular: "role",
        short_names: &[],
        scope: Scope::Namespaced,
        message: "rbac.v1.Role",
        name_rule: names::path_segment,
        create_on_update: true,
        in_all: false,
    };
    const COLUMNS: &'static [Column] = COLUMNS;

    fn validate(&self, errors: &mut Errors) {
        validate_rules(&self.rules, Scope::Namespaced, errors);
    }

    fn row(&self, _now: Timestamp) -> Vec<String> {
        vec![self.metadata.name.clone(), created_at(&self.metadata)]
    }
}

impl Resource for ClusterRole {
    const KIND: Kind = Kind::ClusterRole;
    const INFO: KindInfo = KindInfo {
        kind: "ClusterRole",
        group: "rbac.authorization.k8s.io",
        version: "v1",
        plural: "clusterroles",
        singular: "clusterrole",
        short_names: &[],
        scope: Scope::Cluster,
        message: "rbac.v1.ClusterRole",
        name_rule: names::path_segment,
        create_on_update: true,
        in_all: false,
    };
    const COLUMNS: &'static [Column] = COLUMNS;

    fn validate(&self, errors: &mut Errors) {
        validate_rules(&self.rules, Scope::Cluster, errors);
        let Some(aggregation) = &self.aggregation_rule else { return };
        let path = Path::new("aggregationRule").child("clusterRoleSelectors");
        if aggregation.cluster_role_selectors.is_empty() {
            errors.required(&path, "at least one clusterRoleSelector required if aggregationRule is non-nil");
        }
        for (index, selector) in aggregation.cluster_role_selectors.iter().enumerate() {
            let path = path.index(index);
            labels::validate_selector(selector, &path, errors);
            if Selector::from_label_selector(Some(selector)).is_none() {
                // Kubernetes shows what it could not read as nothing.
                errors.invalid(&path, &(), "invalid label selector.");
            }
        }
    }

    fn row(&self, _now: Timestamp) -> Vec<String> {
        vec![self.metadata.name.clone(), created_at(&self.metadata)]
    }
}

fn created_at(meta: &ObjectMeta) -> String {
    squall_proto::format_rfc3339_seconds(meta.creation_timestamp.timestamp())
}

fn validate_rules(rules: &[PolicyRule], scope: Scope, errors: &mut Errors) {
    for (index, rule) in rules.iter().enumerate() {
        validate_rule(rule, scope, &Path::new("rules").index(index), errors);
    }
}

fn validate_rule(rule: &PolicyRule, scope: Scope, path: &Path, errors: &mut Errors) {
    if rule.verbs.is_empty() {
        errors.required(&path.child("verbs"), "verbs must contain at least one value");
    }
    let (paths, urls) = (path.child("nonResourceURLs"), &rule.non_resource_urls);
    if !urls.is_empty() {
        if scope == Scope::Namespaced {
            errors.invalid(&paths, urls, "namespaced rules cannot apply to non-resource URLs");
        }
        if !rule.api_groups.is_empty() || !rule.resources.is_empty() || !rule.resource_names.is_empty() {
            errors.invalid(&paths, urls, "rules cannot apply to both regular resources and non-resource URLs");
        }
        return;
    }
    if rule.api_groups.is_empty() {
        errors.required(&path.child("apiGroups"), "resource rules must supply at least one api group");
    }
    if rule.resources.is_empty() {
        errors.required(&path.child("resources"), "resource rules must supply at least one resource");
    }
}
