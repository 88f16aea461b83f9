//! Authorization: a small fixed set of roles, as data, and the stored ones beside them. Pure functions.
//!
//! `roles` are the fixed ones, and `grants` the roles and bindings that users store. `escalation` keeps callers from giving
//! others what they do not have.
//! [`squall_daemon::identity`] determines the caller. [`crate::admission`] restricts which objects a node may change.

mod action;
mod escalation;
mod grants;
mod roles;

use squall_daemon::identity::Caller;

pub use action::{Action, Target, Verb};
pub use escalation::confirm_no_escalation;
pub use grants::{ACCOUNT, Grants};
pub use roles::own_rules;

use roles::ROLES;

/// Returns the reason why a fixed role permits the action; `None` if none does.
#[must_use]
pub fn permitting(caller: &Caller, action: &Action<'_>) -> Option<String> {
    let role = ROLES.iter().find(|role| role.has(caller) && role.permits(action))?;
    Some(format!("allowed by the role {:?}", role.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on<'a>(verb: Verb, group: &'a str, resource: &'a str, namespace: &'a str, name: &'a str) -> Action<'a> {
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        Action { verb: verb.as_str(), target: Target::Resource { group, resource, subresource, namespace, name } }
    }

    fn may(caller: &Caller, action: &Action<'_>) -> bool {
        permitting(caller, action).is_some()
    }

    #[test]
    fn a_refusal_is_in_kubernetes_words() {
        let nobody = Caller::anonymous();
        let text = |action: &Action<'_>| action.forbidden(nobody.user()).to_string();
        assert_eq!(
            text(&on(Verb::List, "", "pods", "", "")),
            "pods is forbidden: User \"system:anonymous\" cannot list resource \"pods\" in API group \"\" at the cluster scope"
        );
        assert_eq!(
            text(&on(Verb::Get, "apps", "deployments/scale", "default", "kubia")),
            "deployments.apps \"kubia\" is forbidden: User \"system:anonymous\" cannot get resource \"deployments/scale\" in \
             API group \"apps\" in the namespace \"default\""
        );
        assert_eq!(
            text(&Action { verb: "get", target: Target::Path("/metrics") }),
            "forbidden: User \"system:anonymous\" cannot get path \"/metrics\""
        );
    }

    #[test]
    fn everyone_may_ask_whether_the_server_is_well_and_only_the_known_what_it_has() {
        let path = |path| Action { verb: "get", target: Target::Path(path) };
        for known in ["/api", "/apis/apps/v1", "/openapi/v3"] {
            assert!(!may(&Caller::anonymous(), &path(known)), "{known}");
            assert!(may(&Caller::new("a", &[]), &path(known)), "{known}");
        }
        assert!(may(&Caller::anonymous(), &path("/readyz")) && may(&Caller::anonymous(), &path("/version")));
        assert!(!may(&Caller::new("a", &[]), &path("/metrics")));
    }

    #[test]
    fn a_viewer_sees_all_but_secrets_and_changes_nothing() {
        let viewer = Caller::new("eve", &["squall:viewers"]);
        assert!(may(&viewer, &on(Verb::List, "apps", "deployments", "", "")));
        assert!(may(&viewer, &on(Verb::Get, "", "pods/log", "default", "x")));
        assert!(!may(&viewer, &on(Verb::Get, "", "secrets", "default", "x")));
        assert!(!may(&viewer, &on(Verb::Create, "", "pods", "default", "")));
        assert!(!may(&viewer, &on(Verb::Get, "", "pods/proxy", "default", "x")), "a proxied request can change things");
    }

    #[test]
    fn a_node_reads_what_it_serves_and_writes_what_is_its_own() {
        let node = Caller::new("system:node:node-0", &["system:nodes"]);
        assert!(may(&node, &on(Verb::Watch, "discovery.k8s.io", "endpointslices", "", "")));
        assert!(may(&node, &on(Verb::Update, "", "pods/status", "default", "x")));
        assert!(may(&node, &on(Verb::Create, "", "events", "default", "")));
        assert!(!may(&node, &on(Verb::Create, "", "pods", "default", "")));
        assert!(!may(&node, &on(Verb::List, "apps", "deployments", "", "")));
        assert!(!may(&node, &on(Verb::List, "", "secrets", "default", "")));
    }

    #[test]
    fn masters_may_do_everything() {
        assert!(may(&Caller::server(), &on(Verb::DeleteCollection, "", "secrets", "", "")));
        assert!(may(&Caller::server(), &Action { verb: "get", target: Target::Path("/metrics") }));
    }
}
