//! Keeps callers from giving, by a role or a binding, what they do not have themselves. Pure.

use std::collections::BTreeSet;

use squall_api::access::{self, break_down, compact, uncovered};
use squall_api::rbac::v1::{PolicyRule, RoleRef};
use squall_api::{Error, Kind, KindInfo, Object};
use squall_daemon::identity::Caller;

use super::action::{Action, Target};
use super::grants::Grants;
use super::roles::lendable_rules;

/// Refuses a new or changed role whose rules the caller does not have, and a binding to such a role (Kubernetes: unless
/// the caller may `escalate` the role, or `bind` it). Other objects pass.
pub fn confirm_no_escalation(
    caller: &Caller,
    grants: &Grants,
    old: Option<&Object>,
    new: &Object,
    may: impl Fn(&Action<'_>) -> bool,
) -> Result<(), Error> {
    // Kubernetes: the cluster's own components; the aggregation only joins what others were allowed to write.
    if caller.is_master() || caller.user() == "system:kube-controller-manager" {
        return Ok(());
    }
    let (meta, info) = (new.meta(), new.kind().info());
    let may = |verb: &str, resource: &str, name: &str| {
        let target =
            Target::Resource { group: info.group, resource, subresource: "", namespace: &meta.namespace, name };
        may(&Action { verb, target })
    };
    if old.is_some_and(|old| is_housekeeping(old, new)) {
        return Ok(());
    }
    let held = || {
        let mut rules = grants.rules_for(caller, &meta.namespace);
        rules.extend(lendable_rules(caller));
        rules
    };
    let check = |rules: &[PolicyRule]| missing(caller, &held(), rules, info, &meta.name);
    let check_binding = |role: &RoleRef| {
        let (kind, resource) = match role.kind.as_str() {
            "ClusterRole" => (Kind::ClusterRole, "clusterroles"),
            _ => (Kind::Role, "roles"),
        };
        if may("bind", resource, &role.name) {
            return Ok(());
        }
        // A role that does not exist yet may become a strong one.
        let rules = grants.rules_of(role, &meta.namespace).ok_or_else(|| Error::not_found(kind, &role.name))?;
        check(rules)
    };
    match (new, old) {
        (Object::Role(role), _) => {
            if may("escalate", "roles", &meta.name) {
                Ok(())
            } else {
                check(&role.rules)
            }
        }
        (Object::ClusterRole(role), old) => {
            if may("escalate", "clusterroles", &meta.name) {
                return Ok(());
            }
            check(&role.rules)?;
            let aggregated = matches!(old, Some(Object::ClusterRole(old)) if old.aggregation_rule.is_some());
            if (role.aggregation_rule.is_some() || aggregated) && check(&everything()).is_err() {
                let detail = "must have cluster-admin privileges to use the aggregationRule";
                return Err(Error::refused(info.group, info.plural, &meta.name, detail));
            }
            Ok(())
        }
        (Object::RoleBinding(binding), _) => check_binding(&binding.role_ref),
        (Object::ClusterRoleBinding(binding), _) => check_binding(&binding.role_ref),
        _ => Ok(()),
    }
}

/// Whether only that changes which a garbage collector needs (Kubernetes: `IsOnlyMutatingGCFields`). A label counts: it may
/// make the role a part of another one.
fn is_housekeeping(old: &Object, new: &Object) -> bool {
    let bare = |object: &Object| {
        let mut object = object.clone();
        let meta = object.meta_mut();
        (meta.owner_references, meta.finalizers, meta.managed_fields) = (Vec::new(), Vec::new(), Vec::new());
        (meta.deletion_timestamp, meta.deletion_grace_period_seconds) = (None, None);
        meta.resource_version.clear();
        object
    };
    bare(old) == bare(new)
}

/// The rules of an administrator.
fn everything() -> [PolicyRule; 2] {
    let all = || vec![access::ALL.to_owned()];
    [
        PolicyRule { verbs: all(), api_groups: all(), resources: all(), ..PolicyRule::default() },
        PolicyRule { verbs: all(), non_resource_urls: all(), ..PolicyRule::default() },
    ]
}

fn missing(
    caller: &Caller,
    held: &[PolicyRule],
    rules: &[PolicyRule],
    info: &KindInfo,
    name: &str,
) -> Result<(), Error> {
    let refused = |detail: &str| Err(Error::refused(info.group, info.plural, name, detail));
    let Some(missing) = break_down(rules).and_then(|single| uncovered(held, single)) else {
        return refused("its rules are too many to be compared with those of the user");
    };
    if missing.is_empty() {
        return Ok(());
    }
    let texts: BTreeSet<String> = compact(missing).iter().map(access::text).collect();
    let texts: Vec<String> = texts.into_iter().collect();
    let groups: Vec<String> = caller.groups().iter().map(|group| format!("{group:?}")).collect();
    refused(&format!(
        "user {:?} (groups=[{}]) is attempting to grant RBAC permissions not currently held:\n{}",
        caller.user(),
        groups.join(" "),
        texts.join("\n")
    ))
}

#[cfg(test)]
mod tests {
    use squall_api::rbac::v1::{ClusterRole, Role, RoleBinding, Subject};

    use super::*;

    fn rule(verbs: &[&str], resource: &str) -> PolicyRule {
        PolicyRule {
            verbs: verbs.iter().map(|verb| (*verb).to_owned()).collect(),
            api_groups: vec![String::new()],
            resources: vec![resource.to_owned()],
            ..PolicyRule::default()
        }
    }

    fn role(verbs: &[&str], resource: &str) -> Role {
        let mut role = Role { rules: vec![rule(verbs, resource)], ..Role::default() };
        "r".clone_into(&mut role.metadata.name);
        "a".clone_into(&mut role.metadata.namespace);
        role
    }

    /// Eve has a role in the namespace "a".
    fn grants() -> Grants {
        let mut grants = Grants::default();
        grants.add_role(role(&["get", "list"], "pods"));
        let subject = Subject { kind: "User".to_owned(), name: "eve".to_owned(), ..Subject::default() };
        grants.add_binding(&binding("r", vec![subject]));
        let mut strong = role(&["*"], "secrets");
        "strong".clone_into(&mut strong.metadata.name);
        grants.add_role(strong);
        grants
    }

    fn binding(role: &str, subjects: Vec<Subject>) -> RoleBinding {
        let role_ref = RoleRef { kind: "Role".to_owned(), name: role.to_owned(), ..RoleRef::default() };
        let mut binding = RoleBinding { role_ref, subjects, ..RoleBinding::default() };
        "b".clone_into(&mut binding.metadata.name);
        "a".clone_into(&mut binding.metadata.namespace);
        binding
    }

    fn outcome(old: Option<&Object>, new: impl Into<Object>, allowed: &str) -> Result<(), String> {
        let eve = Caller::new("eve", &[]);
        let may = |action: &Action<'_>| action.verb == allowed;
        confirm_no_escalation(&eve, &grants(), old, &new.into(), may).map_err(|error| error.to_string())
    }

    #[test]
    fn nobody_gives_more_than_they_have() {
        outcome(None, role(&["get"], "pods"), "").unwrap();
        assert_eq!(
            outcome(None, role(&["get", "delete"], "pods"), "").unwrap_err(),
            "roles.rbac.authorization.k8s.io \"r\" is forbidden: user \"eve\" (groups=[\"system:authenticated\"]) is \
             attempting to grant RBAC permissions not currently held:\n{APIGroups:[\"\"], Resources:[\"pods\"], \
             Verbs:[\"delete\"]}"
        );
        outcome(None, role(&["delete"], "pods"), "escalate").unwrap();
        let strong: Object = role(&["delete"], "pods").into();
        outcome(Some(&strong), role(&["delete"], "pods"), "").unwrap();
        assert!(outcome(Some(&strong), role(&["delete"], "nodes"), "").is_err());
        let mut labelled = role(&["delete"], "pods");
        labelled.metadata.labels.insert("a".to_owned(), "b".to_owned());
        assert!(outcome(Some(&strong), labelled, "").is_err(), "a label may make it a part of another role");
        let mut held = role(&["delete"], "pods");
        held.metadata.finalizers.push("a/b".to_owned());
        outcome(Some(&strong), held, "").unwrap();
    }

    #[test]
    fn nobody_binds_a_role_that_is_more_than_they_have() {
        outcome(None, binding("r", Vec::new()), "").unwrap();
        assert!(outcome(None, binding("strong", Vec::new()), "").unwrap_err().contains("Resources:[\"secrets\"]"));
        outcome(None, binding("strong", Vec::new()), "bind").unwrap();
        assert!(outcome(None, binding("strong", Vec::new()), "escalate").is_err());
        assert_eq!(
            outcome(None, binding("nosuch", Vec::new()), "").unwrap_err(),
            "roles.rbac.authorization.k8s.io \"nosuch\" not found",
            "it may become a strong one"
        );
        outcome(None, binding("nosuch", Vec::new()), "bind").unwrap();
    }

    #[test]
    fn only_administrators_aggregate() {
        let aggregating = ClusterRole { aggregation_rule: Some(Default::default()), ..ClusterRole::default() };
        let refused = outcome(None, aggregating.clone(), "").unwrap_err();
        assert!(refused.ends_with("must have cluster-admin privileges to use the aggregationRule"), "{refused}");
        let admin = Caller::new("root", &["system:masters"]);
        confirm_no_escalation(&admin, &Grants::default(), None, &aggregating.into(), |_| false).unwrap();
    }
}
