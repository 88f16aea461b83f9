//! Accepts the names of custom kinds, lets them be used, and deletes their objects before their definitions.
//!
//! Kubernetes has three controllers for this in its apiserver (naming, establishing, finalizing).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use squall_api::Kind;
use squall_api::apiextensions::v1::{CustomResourceDefinition, CustomResourceDefinitionNames};
use squall_api::kinds::{CUSTOM_RESOURCE_CLEANUP, condition, has_condition, set_condition};

use crate::runtime::{Action, CachedKind, Caches, Controller, Key, ObjectChange, Plan, served};

const RETRY: Duration = Duration::from_secs(1);

/// Accepts custom kinds, and empties those whose definition is deleted.
pub struct CustomResourceDefinitionController;

/// A definition, and the others of its group.
pub struct Observed {
    definition: Arc<CustomResourceDefinition>,
    others: Vec<Arc<CustomResourceDefinition>>,
}

impl Controller for CustomResourceDefinitionController {
    type Observed = Observed;
    const NAME: &'static str = "customresourcedefinition-controller";

    /// A name that one definition gives up may be what another waits for.
    fn keys(&self, change: &ObjectChange, caches: &Caches) -> Vec<Key> {
        if change.kind == CachedKind::CustomResourceDefinition { self.all_keys(caches) } else { Vec::new() }
    }

    fn all_keys(&self, caches: &Caches) -> Vec<Key> {
        caches.definitions.all().iter().map(|definition| Key::new("", &definition.metadata.name)).collect()
    }

    fn observe(&self, caches: &Caches, key: &Key, _: Option<&str>) -> Option<Observed> {
        let definition = caches.definitions.get("", &key.name)?;
        let mut others = caches.definitions.all();
        others.retain(|other| other.metadata.name != key.name && other.spec.group == definition.spec.group);
        Some(Observed { definition, others })
    }

    fn plan(&self, observed: Observed, now: Timestamp) -> Plan {
        plan(&observed, now)
    }
}

fn plan(observed: &Observed, now: Timestamp) -> Plan {
    let definition = observed.definition.as_ref();
    if definition.metadata.deletion_timestamp.is_some() {
        return empty(definition, now);
    }
    let mut changed = definition.clone();
    accept_names(&mut changed, &observed.others, now);
    if has_condition(&changed, "NamesAccepted") && !has_condition(&changed, "Established") {
        let message = "the initial names have been accepted";
        set_condition(&mut changed, condition("Established", "True", "InitialNamesAccepted", message), now);
    }
    if !has_condition(&changed, "NamesAccepted") && !has_condition(&changed, "Established") {
        set_condition(
            &mut changed,
            condition("Established", "False", "NotAccepted", "not all names are accepted"),
            now,
        );
    }
    if changed.status == definition.status {
        return Plan::default();
    }
    Plan::of(vec![Action::UpdateStatus(Box::new(changed.into()))])
}

/// Deletes the objects of a kind, and then lets its definition go.
fn empty(definition: &CustomResourceDefinition, now: Timestamp) -> Plan {
    if !definition.metadata.finalizers.iter().any(|finalizer| finalizer == CUSTOM_RESOURCE_CLEANUP) {
        return Plan::default();
    }
    let mut changed = definition.clone();
    let kind = served(definition).first().copied().filter(|_| has_condition(definition, "Established"));
    let (reason, message) = match kind {
        Some(_) => ("InstanceDeletionCompleted", "removed all instances"),
        None if has_condition(definition, "Established") => {
            let message = "could not list instances: no version is served";
            set_condition(&mut changed, condition("Terminating", "True", "InstanceDeletionFailed", message), now);
            let told = changed.status != definition.status;
            let tell = told.then(|| Action::UpdateStatus(Box::new(changed.into())));
            return Plan { wake_after: Some(RETRY), ..Plan::of(tell.into_iter().collect()) };
        }
        None => ("NeverEstablished", "resource was never established"),
    };
    set_condition(&mut changed, condition("Terminating", "False", reason, message), now);
    changed.metadata.finalizers.retain(|finalizer| finalizer != CUSTOM_RESOURCE_CLEANUP);
    let delete = kind.map(|kind| Action::DeleteAll { kind: Kind::Custom(kind), namespace: String::new() });
    Plan::of(delete.into_iter().chain([Action::UpdateStatus(Box::new(changed.into()))]).collect())
}

/// The names that other definitions of the group have been given.
#[derive(Default)]
struct Taken {
    resources: BTreeSet<String>,
    kinds: BTreeSet<String>,
}

impl Taken {
    fn by(others: &[Arc<CustomResourceDefinition>]) -> Self {
        let mut taken = Self::default();
        for names in others.iter().map(|other| &other.status.accepted_names) {
            taken.resources.extend([names.plural.clone(), names.singular.clone()]);
            taken.resources.extend(names.short_names.iter().cloned());
            taken.kinds.extend([names.kind.clone(), names.list_kind.clone()]);
        }
        taken
    }
}

/// Gives a definition those of its names that are free. Kubernetes: the last conflict is the one that is told.
fn accept_names(definition: &mut CustomResourceDefinition, others: &[Arc<CustomResourceDefinition>], now: Timestamp) {
    let (wanted, before) = (definition.spec.names.clone(), definition.status.accepted_names.clone());
    let taken = Taken::by(others);
    let mut accepted = before.clone();
    let mut conflict = None;
    let mut accept = |reason, wanted: &str, before: &str, taken: &BTreeSet<String>, field: &mut String| {
        if wanted != before && taken.contains(wanted) {
            conflict = Some((reason, format!("{wanted:?} is already in use")));
        } else {
            wanted.clone_into(field);
        }
    };
    accept("PluralConflict", &wanted.plural, &before.plural, &taken.resources, &mut accepted.plural);
    accept("SingularConflict", &wanted.singular, &before.singular, &taken.resources, &mut accepted.singular);
    accept("KindConflict", &wanted.kind, &before.kind, &taken.kinds, &mut accepted.kind);
    accept("ListKindConflict", &wanted.list_kind, &before.list_kind, &taken.kinds, &mut accepted.list_kind);
    match short_names_in_use(&wanted, &before, &taken.resources) {
        Some(message) => conflict = Some(("ShortNamesConflict", message)),
        None => accepted.short_names.clone_from(&wanted.short_names),
    }
    accepted.categories = wanted.categories;
    definition.status.accepted_names = accepted;
    let condition = match conflict {
        Some((reason, message)) => condition("NamesAccepted", "False", reason, &message),
        None => condition("NamesAccepted", "True", "NoConflicts", "no conflicts found"),
    };
    set_condition(definition, condition, now);
}

fn short_names_in_use(
    wanted: &CustomResourceDefinitionNames,
    before: &CustomResourceDefinitionNames,
    taken: &BTreeSet<String>,
) -> Option<String> {
    let in_use: Vec<String> = wanted
        .short_names
        .iter()
        .filter(|name| !before.short_names.contains(name) && taken.contains(*name))
        .map(|name| format!("{name:?} is already in use"))
        .collect();
    match in_use.as_slice() {
        [] => None,
        [one] => Some(one.clone()),
        many => Some(format!("[{}]", many.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use squall_api::Object;
    use squall_api::apiextensions::v1::CustomResourceDefinitionVersion;
    use squall_api::metav1::v1::Time;

    use super::*;

    fn definition(plural: &str, kind: &str) -> CustomResourceDefinition {
        let mut definition = CustomResourceDefinition::default();
        definition.spec.group = "example.com".to_owned();
        definition.spec.names = CustomResourceDefinitionNames {
            plural: plural.to_owned(),
            singular: plural.trim_end_matches('s').to_owned(),
            kind: kind.to_owned(),
            list_kind: format!("{kind}List"),
            short_names: vec!["w".to_owned()],
            ..CustomResourceDefinitionNames::default()
        };
        let version = CustomResourceDefinitionVersion { name: "v1".to_owned(), served: true, ..Default::default() };
        definition.spec.versions.push(version);
        definition
    }

    fn planned(definition: &CustomResourceDefinition, others: &[CustomResourceDefinition]) -> Vec<Action> {
        let others = others.iter().cloned().map(Arc::new).collect();
        plan(&Observed { definition: Arc::new(definition.clone()), others }, Timestamp::UNIX_EPOCH).actions
    }

    fn after(actions: &[Action]) -> CustomResourceDefinition {
        let Some(Action::UpdateStatus(object)) = actions.last() else { panic!("{actions:?}") };
        let Object::CustomResourceDefinition(definition) = object.as_ref() else { panic!("another kind") };
        (**definition).clone()
    }

    fn conditions(definition: &CustomResourceDefinition) -> Vec<(&str, &str, &str)> {
        definition
            .status
            .conditions
            .iter()
            .map(|condition| (condition.r#type.as_str(), condition.status.as_str(), condition.message.as_str()))
            .collect()
    }

    #[test]
    fn free_names_are_accepted_and_taken_ones_are_not() {
        let first = after(&planned(&definition("widgets", "Widget"), &[]));
        assert_eq!(first.status.accepted_names, first.spec.names);
        assert_eq!(
            conditions(&first),
            [
                ("NamesAccepted", "True", "no conflicts found"),
                ("Established", "True", "the initial names have been accepted")
            ]
        );
        assert!(planned(&first, &[]).is_empty(), "told once");

        let second = after(&planned(&definition("wadgets", "Widget"), std::slice::from_ref(&first)));
        assert_eq!(
            conditions(&second),
            [
                ("NamesAccepted", "False", "\"w\" is already in use"),
                ("Established", "False", "not all names are accepted")
            ]
        );
        assert_eq!(
            (second.status.accepted_names.plural.as_str(), second.status.accepted_names.kind.as_str()),
            ("wadgets", "")
        );
        assert_eq!(conditions(&after(&planned(&second, &[])))[1].1, "True", "once the name is free");
    }

    #[test]
    fn the_objects_go_before_the_definition() {
        let mut leaving = after(&planned(&definition("widgets", "Widget"), &[]));
        leaving.metadata.deletion_timestamp = Some(Time { seconds: 1, nanos: 0 });
        assert!(planned(&leaving, &[]).is_empty(), "another controller's work is not done");
        leaving.metadata.finalizers.push(CUSTOM_RESOURCE_CLEANUP.to_owned());
        let actions = planned(&leaving, &[]);
        assert!(matches!(&actions[..], [Action::DeleteAll { .. }, Action::UpdateStatus(_)]), "{actions:?}");
        assert!(after(&actions).metadata.finalizers.is_empty());

        leaving.spec.versions[0].served = false;
        assert_eq!(after(&planned(&leaving, &[])).metadata.finalizers.len(), 1, "nobody can see its objects");
    }
}
