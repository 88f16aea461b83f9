//! The stored roles and bindings: who may do what because of them. Pure.

use std::collections::{BTreeMap, HashMap, HashSet};

use squall_api::access;
use squall_api::rbac::v1::{ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject};
use squall_daemon::identity::Caller;

use super::action::{Action, Target};

/// The prefix of the user name of a service account.
pub const ACCOUNT: &str = "system:serviceaccount:";

/// A user or a group that bindings name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Bound {
    User(String),
    Group(String),
}

/// A binding, with what a reason says of it.
#[derive(Debug)]
struct Grant {
    /// Empty for a ClusterRoleBinding.
    namespace: String,
    role: RoleRef,
    /// `RoleBinding "a/b" of Role "c" to User "d"`.
    text: String,
}

/// All stored roles and bindings, by those who are bound.
#[derive(Debug, Default)]
pub struct Grants {
    roles: BTreeMap<(String, String), Vec<PolicyRule>>,
    cluster_roles: BTreeMap<String, Vec<PolicyRule>>,
    grants: HashMap<Bound, Vec<Grant>>,
}

impl Grants {
    /// Adds a role.
    pub fn add_role(&mut self, role: Role) {
        self.roles.insert((role.metadata.namespace, role.metadata.name), role.rules);
    }

    /// Adds a role of the cluster.
    pub fn add_cluster_role(&mut self, role: ClusterRole) {
        self.cluster_roles.insert(role.metadata.name, role.rules);
    }

    /// Adds a binding within a namespace.
    pub fn add_binding(&mut self, binding: &RoleBinding) {
        let meta = &binding.metadata;
        let name = format!("RoleBinding \"{}/{}\"", meta.name, meta.namespace);
        self.bind(&name, &meta.namespace, &binding.role_ref, &binding.subjects);
    }

    /// Adds a binding in the whole cluster.
    pub fn add_cluster_binding(&mut self, binding: &ClusterRoleBinding) {
        let name = format!("ClusterRoleBinding {:?}", binding.metadata.name);
        self.bind(&name, "", &binding.role_ref, &binding.subjects);
    }

    fn bind(&mut self, name: &str, namespace: &str, role: &RoleRef, subjects: &[Subject]) {
        let mut seen = HashSet::new();
        for subject in subjects {
            let home = if subject.namespace.is_empty() { namespace } else { &subject.namespace };
            let (bound, shown) = match subject.kind.as_str() {
                "User" => (Bound::User(subject.name.clone()), subject.name.clone()),
                "Group" => (Bound::Group(subject.name.clone()), subject.name.clone()),
                "ServiceAccount" if !home.is_empty() => {
                    (Bound::User(format!("{ACCOUNT}{home}:{}", subject.name)), format!("{}/{home}", subject.name))
                }
                _ => continue,
            };
            // A subject that is named twice gets nothing more.
            if !seen.insert(bound.clone()) {
                continue;
            }
            let text = format!("{name} of {} {:?} to {} {shown:?}", role.kind, role.name, subject.kind);
            let grant = Grant { namespace: namespace.to_owned(), role: role.clone(), text };
            self.grants.entry(bound).or_default().push(grant);
        }
    }

    /// Returns the reason why an action is permitted, in Kubernetes' words. `None` if no role permits it.
    #[must_use]
    pub fn permitting(&self, caller: &Caller, action: &Action<'_>) -> Option<String> {
        let (namespace, request) = match action.target {
            Target::Path(path) => ("", access::Request::Path(path)),
            Target::Resource { group, resource, subresource, namespace, name } => {
                (namespace, access::Request::Resource { group, resource, part: subresource, name })
            }
        };
        let permits = |rule: &PolicyRule| access::permits(rule, action.verb, request);
        let found = self.held(caller, namespace).find(|grant| self.rules_given(grant).iter().any(permits));
        found.map(|grant| format!("RBAC: allowed by {}", grant.text))
    }

    /// Returns all rules that a caller has in a namespace; with an empty one, those in the whole cluster.
    #[must_use]
    pub fn rules_for(&self, caller: &Caller, namespace: &str) -> Vec<PolicyRule> {
        self.held(caller, namespace).flat_map(|grant| self.rules_given(grant)).cloned().collect()
    }

    /// Returns the rules of a role; `None` if it does not exist.
    #[must_use]
    pub fn rules_of(&self, role: &RoleRef, namespace: &str) -> Option<&[PolicyRule]> {
        let rules = match role.kind.as_str() {
            "ClusterRole" => self.cluster_roles.get(&role.name),
            _ => self.roles.get(&(namespace.to_owned(), role.name.clone())),
        };
        rules.map(Vec::as_slice)
    }

    /// The rules of a grant, in the namespace of its binding.
    fn rules_given(&self, grant: &Grant) -> &[PolicyRule] {
        self.rules_of(&grant.role, &grant.namespace).unwrap_or_default()
    }

    /// The grants of a caller that count in a namespace.
    fn held<'a>(&'a self, caller: &Caller, namespace: &'a str) -> impl Iterator<Item = &'a Grant> {
        let groups = caller.groups().iter().map(|group| Bound::Group(group.clone()));
        let bound: Vec<Bound> = groups.chain([Bound::User(caller.user().to_owned())]).collect();
        let grants = bound.into_iter().filter_map(|bound| self.grants.get(&bound)).flatten();
        grants.filter(move |grant| grant.namespace.is_empty() || grant.namespace == namespace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grants() -> Grants {
        let mut grants = Grants::default();
        let rule = |verb: &str, resource: &str| PolicyRule {
            verbs: vec![verb.to_owned()],
            api_groups: vec![String::new()],
            resources: vec![resource.to_owned()],
            ..PolicyRule::default()
        };
        let mut role = Role { rules: vec![rule("get", "pods")], ..Role::default() };
        "a".clone_into(&mut role.metadata.namespace);
        "reader".clone_into(&mut role.metadata.name);
        grants.add_role(role);
        let mut role = ClusterRole { rules: vec![rule("list", "secrets")], ..ClusterRole::default() };
        "secrets".clone_into(&mut role.metadata.name);
        grants.add_cluster_role(role);
        let reference =
            |kind: &str, name: &str| RoleRef { kind: kind.to_owned(), name: name.to_owned(), ..RoleRef::default() };
        let subject =
            |kind: &str, name: &str| Subject { kind: kind.to_owned(), name: name.to_owned(), ..Subject::default() };
        let mut binding = RoleBinding {
            role_ref: reference("Role", "reader"),
            subjects: vec![subject("ServiceAccount", "robot"), subject("User", "eve")],
            ..RoleBinding::default()
        };
        "a".clone_into(&mut binding.metadata.namespace);
        "b".clone_into(&mut binding.metadata.name);
        grants.add_binding(&binding);
        (binding.role_ref, binding.subjects) = (reference("ClusterRole", "secrets"), vec![subject("Group", "ops")]);
        grants.add_binding(&binding);
        binding.role_ref = reference("Role", "nosuch");
        grants.add_binding(&binding);
        grants
    }

    fn reason(caller: &Caller, verb: &str, resource: &str, namespace: &str) -> Option<String> {
        let target = Target::Resource { group: "", resource, subresource: "", namespace, name: "" };
        grants().permitting(caller, &Action { verb, target })
    }

    #[test]
    fn a_binding_counts_in_its_namespace_for_those_it_names() {
        let eve = Caller::new("eve", &[]);
        assert_eq!(
            reason(&eve, "get", "pods", "a").as_deref(),
            Some("RBAC: allowed by RoleBinding \"b/a\" of Role \"reader\" to User \"eve\"")
        );
        for (verb, resource, namespace) in
            [("get", "pods", "b"), ("get", "pods", ""), ("list", "pods", "a"), ("get", "nodes", "a")]
        {
            assert_eq!(reason(&eve, verb, resource, namespace), None, "{verb} {resource} {namespace:?}");
        }
        assert_eq!(reason(&Caller::new("bob", &[]), "get", "pods", "a"), None);
        let robot = Caller::new("system:serviceaccount:a:robot", &["system:serviceaccounts"]);
        assert_eq!(
            reason(&robot, "get", "pods", "a").as_deref(),
            Some("RBAC: allowed by RoleBinding \"b/a\" of Role \"reader\" to ServiceAccount \"robot/a\"")
        );
        assert_eq!(reason(&Caller::new("system:serviceaccount:b:robot", &[]), "get", "pods", "a"), None);
        let ops = Caller::new("x", &["ops"]);
        assert!(reason(&ops, "list", "secrets", "a").is_some() && reason(&ops, "list", "secrets", "").is_none());
        assert_eq!(grants().rules_for(&ops, "a").len(), 1, "a role that does not exist gives nothing");
        assert!(grants().rules_for(&ops, "").is_empty());
    }
}
