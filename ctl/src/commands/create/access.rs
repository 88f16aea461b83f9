//! The roles and bindings that commands describe.

use serde_json::{Map, Value, json};
use squall_api::Kind;

use super::object;
use crate::cli::{CreateBindingArgs, CreateClusterRoleArgs, CreateRoleArgs, RuleArgs};
use crate::failure::Failure;

const GROUP: &str = "rbac.authorization.k8s.io";
const VERSION: &str = "rbac.authorization.k8s.io/v1";

pub fn role(args: &CreateRoleArgs) -> Result<Value, Failure> {
    if args.rule.resource.is_empty() {
        return Err(Failure::error("at least one resource must be specified"));
    }
    Ok(object(VERSION, "Role", &args.name, json!({"rules": rules(&args.rule)?})))
}

pub fn cluster_role(args: &CreateClusterRoleArgs) -> Result<Value, Failure> {
    if let Some(selector) = &args.aggregation_rule {
        let labels: Option<Map<String, Value>> =
            selector.split(',').map(|pair| pair.split_once('=').map(|(k, v)| (k.to_owned(), v.into()))).collect();
        let labels =
            labels.ok_or_else(|| Failure::error(format!("invalid aggregation rule {selector:?}: use KEY=VALUE")))?;
        let rule = json!({"clusterRoleSelectors": [{"matchLabels": labels}]});
        return Ok(object(VERSION, "ClusterRole", &args.name, json!({"aggregationRule": rule, "rules": []})));
    }
    let mut rules = if args.rule.resource.is_empty() { Vec::new() } else { rules(&args.rule)? };
    if !args.non_resource_url.is_empty() {
        rules.push(json!({"verbs": args.rule.verb, "nonResourceURLs": args.non_resource_url}));
    }
    if rules.is_empty() {
        return Err(Failure::error("at least one resource or nonResourceURL must be specified"));
    }
    Ok(object(VERSION, "ClusterRole", &args.name, json!({"rules": rules})))
}

/// Builds one rule for each API group: `deployments.apps/scale` is of the group `apps`.
fn rules(args: &RuleArgs) -> Result<Vec<Value>, Failure> {
    if args.verb.is_empty() {
        return Err(Failure::error("at least one verb must be specified"));
    }
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for word in &args.resource {
        let (word, part) = word.split_once('/').map_or((word.as_str(), String::new()), |(w, p)| (w, format!("/{p}")));
        // A kind that is not known here is taken as it is written.
        let (group, resource) = match Kind::of_word(word) {
            Some(kind) => (kind.info().group, kind.info().plural),
            None => word.split_once('.').map_or(("", word), |(resource, group)| (group, resource)),
        };
        let resource = format!("{resource}{part}");
        match groups.iter_mut().find(|(known, _)| known == group) {
            Some((_, resources)) => resources.push(resource),
            None => groups.push((group.to_owned(), vec![resource])),
        }
    }
    let rule = |(group, resources)| {
        let mut rule = json!({"verbs": args.verb, "apiGroups": [group], "resources": resources});
        if !args.resource_name.is_empty() {
            rule["resourceNames"] = json!(args.resource_name);
        }
        rule
    };
    Ok(groups.into_iter().map(rule).collect())
}

pub fn binding(kind: Kind, args: &CreateBindingArgs) -> Result<Value, Failure> {
    let role = match (&args.clusterrole, args.role.as_ref().filter(|_| kind == Kind::RoleBinding)) {
        (Some(name), None) => json!({"apiGroup": GROUP, "kind": "ClusterRole", "name": name}),
        (None, Some(name)) => json!({"apiGroup": GROUP, "kind": "Role", "name": name}),
        _ if kind == Kind::RoleBinding => {
            return Err(Failure::error("exactly one of clusterrole or role must be specified"));
        }
        _ => return Err(Failure::error("exactly one clusterrole must be specified")),
    };
    let person = |kind: &'static str| move |name: &String| json!({"apiGroup": GROUP, "kind": kind, "name": name});
    let mut subjects: Vec<Value> = args.user.iter().map(person("User")).collect();
    subjects.extend(args.group.iter().map(person("Group")));
    for account in &args.serviceaccount {
        let (namespace, name) =
            account.split_once(':').ok_or_else(|| Failure::error("serviceaccount must be <namespace>:<name>"))?;
        subjects.push(json!({"kind": "ServiceAccount", "namespace": namespace, "name": name}));
    }
    Ok(object(VERSION, kind.info().kind, &args.name, json!({"roleRef": role, "subjects": subjects})))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(verb: &[&str], resource: &[&str]) -> RuleArgs {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        RuleArgs { verb: words(verb), resource: words(resource), resource_name: Vec::new() }
    }

    #[test]
    fn resources_are_named_as_users_name_them() {
        let args = rule(&["get"], &["po", "deploy/scale", "svc", "widgets.example.com", "pods/log"]);
        assert_eq!(
            rules(&args).unwrap(),
            [
                json!({"verbs": ["get"], "apiGroups": [""], "resources": ["pods", "services", "pods/log"]}),
                json!({"verbs": ["get"], "apiGroups": ["apps"], "resources": ["deployments/scale"]}),
                json!({"verbs": ["get"], "apiGroups": ["example.com"], "resources": ["widgets"]}),
            ]
        );
        assert!(rules(&rule(&[], &["po"])).is_err());
    }
}
