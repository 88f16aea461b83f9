//! Fills ClusterRoles that have an aggregation rule with the rules of those that they select.

use std::sync::Arc;

use jiff::Timestamp;
use squall_api::labels::Selector;
use squall_api::rbac::v1::{ClusterRole, PolicyRule};

use crate::runtime::{Action, CachedKind, Caches, Controller, Key, ObjectChange, Plan};

/// Aggregates ClusterRoles.
pub struct ClusterRoleAggregationController;

/// A role with an aggregation rule, and all others in the order of their names.
pub struct Observed {
    role: Arc<ClusterRole>,
    others: Vec<Arc<ClusterRole>>,
}

impl Controller for ClusterRoleAggregationController {
    type Observed = Observed;
    const NAME: &'static str = "clusterrole-aggregation-controller";

    /// Any role may be, or may no longer be, a part of any other.
    fn keys(&self, change: &ObjectChange, caches: &Caches) -> Vec<Key> {
        if change.kind == CachedKind::ClusterRole { self.all_keys(caches) } else { Vec::new() }
    }

    fn all_keys(&self, caches: &Caches) -> Vec<Key> {
        let roles = caches.cluster_roles.all();
        let aggregating = roles.iter().filter(|role| role.aggregation_rule.is_some());
        aggregating.map(|role| Key::new("", &role.metadata.name)).collect()
    }

    fn observe(&self, caches: &Caches, key: &Key, _: Option<&str>) -> Option<Observed> {
        let role = caches.cluster_roles.get("", &key.name)?;
        let mut others = caches.cluster_roles.all();
        others.retain(|other| other.metadata.name != key.name);
        others.sort_by(|one, other| one.metadata.name.cmp(&other.metadata.name));
        Some(Observed { role, others })
    }

    fn plan(&self, observed: Observed, _: Timestamp) -> Plan {
        Plan::of(plan(&observed).into_iter().collect())
    }
}

fn plan(Observed { role, others }: &Observed) -> Option<Action> {
    let aggregation = role.aggregation_rule.as_ref()?;
    let mut rules: Vec<PolicyRule> = Vec::new();
    for selector in &aggregation.cluster_role_selectors {
        let selector = Selector::from_label_selector(Some(selector))?;
        let selected = others.iter().filter(|other| selector.matches(&other.metadata.labels));
        for rule in selected.flat_map(|other| &other.rules) {
            if !rules.contains(rule) {
                rules.push(rule.clone());
            }
        }
    }
    if rules == role.rules || role.metadata.deletion_timestamp.is_some() {
        return None;
    }
    let mut role = (**role).clone();
    role.rules = rules;
    Some(Action::Update(Box::new(role.into())))
}

#[cfg(test)]
mod tests {
    use squall_api::Object;
    use squall_api::metav1::v1::LabelSelector;
    use squall_api::rbac::v1::AggregationRule;

    use super::*;

    fn role(name: &str, label: &str, resource: &str) -> ClusterRole {
        let mut role = ClusterRole::default();
        name.clone_into(&mut role.metadata.name);
        role.metadata.labels.insert(label.to_owned(), "true".to_owned());
        role.rules.push(PolicyRule { resources: vec![resource.to_owned()], ..PolicyRule::default() });
        role
    }

    #[test]
    fn a_role_has_the_rules_of_those_that_it_selects_each_once() {
        let selector = |label: &str| LabelSelector {
            match_labels: [(label.to_owned(), "true".to_owned())].into(),
            ..LabelSelector::default()
        };
        let rule = AggregationRule { cluster_role_selectors: vec![selector("a"), selector("b")] };
        let role_of = |rules| ClusterRole { aggregation_rule: Some(rule.clone()), rules, ..ClusterRole::default() };
        let others = [role("1", "b", "pods"), role("2", "a", "pods"), role("3", "a", "jobs"), role("4", "c", "nodes")];
        let others: Vec<_> = others.into_iter().map(Arc::new).collect();
        let observed = Observed { role: Arc::new(role_of(Vec::new())), others: others.clone() };
        let Some(Action::Update(updated)) = plan(&observed) else { panic!("the role is not updated") };
        let Object::ClusterRole(updated) = *updated else { panic!("it is another kind") };
        let resources: Vec<&str> = updated.rules.iter().map(|rule| rule.resources[0].as_str()).collect();
        assert_eq!(resources, ["pods", "jobs"]);
        assert_eq!(plan(&Observed { role: Arc::new(role_of(updated.rules.clone())), others }), None, "nothing is left");
    }
}
