//! The roles that every cluster begins with, as in Kubernetes: cluster-admin, and admin, edit and view, which join the rules
//! of all roles that say so by a label.

use std::collections::BTreeMap;

use squall_api::Object;
use squall_api::metav1::v1::{LabelSelector, ObjectMeta};
use squall_api::rbac::v1::{AggregationRule, ClusterRole, ClusterRoleBinding, PolicyRule, RoleRef, Subject};

const GROUP: &str = "rbac.authorization.k8s.io";
const READ: &[&str] = &["get", "list", "watch"];
const WRITE: &[&str] = &["create", "delete", "deletecollection", "patch", "update"];
const BOTH: &[&str] = &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

/// Returns the first roles and the binding of administrators.
pub(super) fn first_roles() -> Vec<Object> {
    let admin = ClusterRole {
        rules: vec![
            rule(&["*"], &["*"], &["*"]),
            PolicyRule { verbs: words(&["*"]), non_resource_urls: words(&["*"]), ..PolicyRule::default() },
        ],
        ..named("cluster-admin", None)
    };
    let mut roles = vec![
        admin,
        // Each is a part of the next, and so are those that an operator adds.
        aggregating("admin", None),
        aggregating("edit", Some("admin")),
        aggregating("view", Some("edit")),
    ];
    let parts = [("admin", admin_rules()), ("edit", edit_rules()), ("view", view_rules())];
    roles.extend(
        parts
            .into_iter()
            .map(|(part, rules)| ClusterRole { rules, ..named(&format!("system:aggregate-to-{part}"), Some(part)) }),
    );
    let objects = roles.into_iter().map(Object::from);
    objects.chain([administrators().into()]).collect()
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn rule(verbs: &[&str], groups: &[&str], resources: &[&str]) -> PolicyRule {
    PolicyRule { verbs: words(verbs), api_groups: words(groups), resources: words(resources), ..PolicyRule::default() }
}

fn label(part: &str) -> BTreeMap<String, String> {
    [(format!("{GROUP}/aggregate-to-{part}"), "true".to_owned())].into()
}

/// A role without rules, which another one joins.
fn named(name: &str, joined_by: Option<&str>) -> ClusterRole {
    let mut metadata = ObjectMeta { name: name.to_owned(), ..ObjectMeta::default() };
    metadata.labels = joined_by.map(label).unwrap_or_default();
    metadata.labels.insert("kubernetes.io/bootstrapping".to_owned(), "rbac-defaults".to_owned());
    ClusterRole { metadata, ..ClusterRole::default() }
}

fn aggregating(name: &str, joined_by: Option<&str>) -> ClusterRole {
    let selector = LabelSelector { match_labels: label(name), ..LabelSelector::default() };
    let rule = AggregationRule { cluster_role_selectors: vec![selector] };
    ClusterRole { aggregation_rule: Some(rule), ..named(name, joined_by) }
}

fn admin_rules() -> Vec<PolicyRule> {
    vec![
        rule(&["create"], &["authorization.k8s.io"], &["localsubjectaccessreviews"]),
        rule(BOTH, &[GROUP], &["roles", "rolebindings"]),
    ]
}

fn edit_rules() -> Vec<PolicyRule> {
    vec![
        rule(READ, &[""], &["pods/proxy", "secrets", "services/proxy"]),
        rule(&["create"], &[""], &["serviceaccounts/token"]),
        rule(WRITE, &[""], &["pods", "pods/proxy"]),
        rule(&["create"], &[""], &["pods/eviction"]),
        rule(
            WRITE,
            &[""],
            &[
                "configmaps",
                "events",
                "replicationcontrollers",
                "replicationcontrollers/scale",
                "secrets",
                "serviceaccounts",
                "services",
                "services/proxy",
            ],
        ),
        rule(WRITE, &["apps"], &["deployments", "deployments/scale", "replicasets", "replicasets/scale"]),
        rule(WRITE, &["policy"], &["poddisruptionbudgets"]),
        rule(BOTH, &["coordination.k8s.io"], &["leases"]),
    ]
}

fn view_rules() -> Vec<PolicyRule> {
    vec![
        rule(
            READ,
            &[""],
            &[
                "configmaps",
                "endpoints",
                "events",
                "namespaces",
                "namespaces/status",
                "pods",
                "pods/log",
                "pods/status",
                "replicationcontrollers",
                "replicationcontrollers/scale",
                "replicationcontrollers/status",
                "resourcequotas",
                "resourcequotas/status",
                "serviceaccounts",
                "services",
                "services/status",
            ],
        ),
        rule(READ, &["discovery.k8s.io"], &["endpointslices"]),
        rule(
            READ,
            &["apps"],
            &[
                "deployments",
                "deployments/scale",
                "deployments/status",
                "replicasets",
                "replicasets/scale",
                "replicasets/status",
            ],
        ),
        rule(READ, &["policy"], &["poddisruptionbudgets", "poddisruptionbudgets/status"]),
    ]
}

fn administrators() -> ClusterRoleBinding {
    let ClusterRole { metadata, .. } = named("cluster-admin", None);
    ClusterRoleBinding {
        metadata,
        subjects: vec![Subject {
            kind: "Group".to_owned(),
            api_group: GROUP.to_owned(),
            name: "system:masters".to_owned(),
            ..Subject::default()
        }],
        role_ref: RoleRef {
            api_group: GROUP.to_owned(),
            kind: "ClusterRole".to_owned(),
            name: "cluster-admin".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use squall_api::Kind;
    use squall_api::field::Errors;

    use super::*;

    #[test]
    fn the_first_roles_are_valid_and_name_what_there_is() {
        let known = |group: &str, resource: &str| {
            let (plural, part) = resource.split_once('/').unwrap_or((resource, ""));
            let kind = Kind::find(group, plural);
            resource == "*"
                || group == "authorization.k8s.io"
                || kind.is_some_and(|kind| part.is_empty() || kind.parts().iter().any(|known| known.name == part))
        };
        for object in first_roles() {
            let mut errors = Errors::default();
            object.validate(&mut errors);
            assert!(errors.is_empty(), "{}", object.meta().name);
            let Object::ClusterRole(role) = object else { continue };
            for rule in &role.rules {
                for resource in &rule.resources {
                    assert!(known(&rule.api_groups[0], resource), "{}: {resource}", role.metadata.name);
                }
            }
        }
    }
}
