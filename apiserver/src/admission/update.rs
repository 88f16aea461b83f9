//! Admission of a changed object, as a whole or through one of its subresources.

use std::collections::HashSet;

use jiff::Timestamp;
use serde_json::{Map, Value};
use squall_api::autoscaling::v1::{Scale, ScaleSpec, ScaleStatus};
use squall_api::core::v1::{Pod, PodCondition};
use squall_api::field::{Errors, Path};
use squall_api::kinds::{CustomObject, StatusUpdate};
use squall_api::labels::Selector;
use squall_api::metav1::v1::Time;
use squall_api::{Error, Object, meta};

/// Returns the object as it is to be stored in place of `old`, or its errors.
pub fn update(mut new: Object, old: &Object) -> Result<Object, Error> {
    let kind = old.kind();
    meta::validate_update(kind, new.meta(), old.meta())?;
    meta::keep_immutable(new.meta_mut(), old.meta());
    new.set_defaults();
    new.prepare_update(old);
    let mut errors = Errors::default();
    meta::validate(kind, new.meta(), &mut errors);
    forbid_new_finalizers(&new, old, &mut errors);
    new.validate_update(old, &mut errors);
    if errors.is_empty() { Ok(new) } else { Err(Error::invalid(kind, &old.meta().name, &errors)) }
}

fn forbid_new_finalizers(new: &Object, old: &Object, errors: &mut Errors) {
    if old.meta().deletion_timestamp.is_none() {
        return;
    }
    let known: HashSet<&String> = old.meta().finalizers.iter().collect();
    let added: Vec<&String> = new.meta().finalizers.iter().filter(|finalizer| !known.contains(finalizer)).collect();
    if !added.is_empty() {
        let detail =
            format!("no new finalizers can be added if the object is being deleted, found new finalizers {added:?}");
        errors.forbidden(&Path::new("metadata").child("finalizers"), &detail);
    }
}

/// Returns the stored object with the status and the metadata of `new`. Kubernetes: annotations, labels and finalizers
/// may come with a status.
pub fn update_status(mut new: Object, old: &Object) -> Result<Object, Error> {
    let kind = old.kind();
    meta::validate_update(kind, new.meta(), old.meta())?;
    meta::keep_immutable(new.meta_mut(), old.meta());
    if new.prepare_status_update(old) == StatusUpdate::Unsupported {
        return Err(Error::method_not_allowed("update", &format!("{}/status", kind.info().plural)));
    }
    let mut errors = Errors::default();
    meta::validate(kind, new.meta(), &mut errors);
    forbid_new_finalizers(&new, old, &mut errors);
    new.validate_part(old, &mut errors);
    if errors.is_empty() { Ok(new) } else { Err(Error::invalid(kind, &old.meta().name, &errors)) }
}

/// Returns the stored namespace with the finalizers of `new`, which hold it until it is empty.
pub fn finalize(new: Object, old: &Object) -> Result<Object, Error> {
    meta::validate_update(old.kind(), new.meta(), old.meta())?;
    let mut kept = old.clone();
    if let (Object::Namespace(kept), Object::Namespace(new)) = (&mut kept, new) {
        kept.spec.finalizers = new.spec.finalizers;
    }
    Ok(kept)
}

/// Returns the scale of an object; `None` for kinds without one.
#[must_use]
pub fn scale_of(object: &mut Object) -> Option<Scale> {
    let (wanted, replicas, selector) = match &*object {
        Object::Custom(object) => custom_scale(object)?,
        _ => own_scale(object)?,
    };
    let metadata = object.meta();
    let mut scale =
        Scale { spec: ScaleSpec { replicas: wanted }, status: ScaleStatus { replicas, selector }, ..Scale::default() };
    scale.metadata.name.clone_from(&metadata.name);
    scale.metadata.namespace.clone_from(&metadata.namespace);
    scale.metadata.uid.clone_from(&metadata.uid);
    scale.metadata.creation_timestamp = metadata.creation_timestamp;
    scale.metadata.resource_version.clone_from(&metadata.resource_version);
    Some(scale)
}

/// Returns the wanted and the actual number of replicas, and their selector.
fn own_scale(object: &mut Object) -> Option<(i32, i32, String)> {
    let (replicas, selector) = match &*object {
        Object::Deployment(d) => (d.status.replicas, Selector::from_label_selector(d.spec.selector.as_ref())),
        Object::ReplicaSet(r) => (r.status.replicas, Selector::from_label_selector(r.spec.selector.as_ref())),
        Object::ReplicationController(r) => (r.status.replicas, Some(Selector::from_map(&r.spec.selector))),
        _ => return None,
    };
    Some((object.replicas_mut()?.unwrap_or(1), replicas, selector.unwrap_or_default().to_string()))
}

/// The same for a custom object, whose definition says where they are.
fn custom_scale(object: &CustomObject) -> Option<(i32, i32, String)> {
    let places = object.version()?.scale()?;
    let number = |path: &str| object.at(path).and_then(Value::as_i64).and_then(|number| i32::try_from(number).ok());
    let selector = places.label_selector_path.as_deref().and_then(|path| object.at(path)).and_then(Value::as_str);
    Some((
        number(&places.spec_replicas_path).unwrap_or(0),
        number(&places.status_replicas_path).unwrap_or(0),
        selector.unwrap_or_default().to_owned(),
    ))
}

/// Sets the wanted number of replicas of a custom object. Fails if it has no scale, or no object to put it in.
fn scale_custom(object: &mut CustomObject, replicas: i32) -> Option<()> {
    let path = object.version()?.scale()?.spec_replicas_path.clone();
    let (parents, last) = path.trim_start_matches('.').rsplit_once('.')?;
    let mut fields = object.fields_mut();
    for parent in parents.split('.') {
        fields = fields.entry(parent).or_insert_with(|| Value::Object(Map::new())).as_object_mut()?;
    }
    fields.insert(last.to_owned(), replicas.into());
    Some(())
}

/// Returns the object with another number of replicas.
pub fn set_scale(old: &Object, replicas: i32) -> Result<Object, Error> {
    let mut new = old.clone();
    let done = match &mut new {
        Object::Custom(object) => scale_custom(object, replicas),
        other => other.replicas_mut().map(|field| *field = Some(replicas)),
    };
    match done {
        Some(()) => update(new, old),
        None => Err(Error::method_not_allowed("update", &format!("{}/scale", old.kind().info().plural))),
    }
}

/// Returns the pod bound to a node. A pod can be bound only once.
pub fn bind(old: &Pod, node: &str, now: Timestamp) -> Result<Pod, Error> {
    let name = &old.metadata.name;
    let kind = squall_api::Kind::Pod;
    if old.metadata.deletion_timestamp.is_some() {
        return Err(Error::conflict(kind, name, &format!("pod {name} is being deleted, cannot be assigned to a host")));
    }
    if !old.spec.node_name.is_empty() {
        let detail = format!("pod {name} is already assigned to node {:?}", old.spec.node_name);
        return Err(Error::conflict(kind, name, &detail));
    }
    let mut pod = old.clone();
    node.clone_into(&mut pod.spec.node_name);
    pod.metadata.resource_version.clear();
    pod.status.conditions.retain(|condition| condition.r#type != "PodScheduled");
    pod.status.conditions.push(PodCondition {
        r#type: "PodScheduled".to_owned(),
        status: "True".to_owned(),
        last_transition_time: Time::from_timestamp(now),
        ..PodCondition::default()
    });
    Ok(pod)
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_api::apps::v1::Deployment;

    fn stored() -> Object {
        let text = include_str!("../../../examples/chapter/kubia-deployment-v1.yaml");
        let manifest = squall_api::manifest::documents(text).unwrap().remove(0);
        let validation = squall_api::decode::FieldValidation::Strict;
        let mut object =
            squall_api::decode::from_json(squall_api::Kind::Deployment, manifest, validation).unwrap().object;
        object.meta_mut().namespace = "default".to_owned();
        let birth = super::super::Birth { uid: "u".to_owned(), now: Timestamp::UNIX_EPOCH, seed: 0 };
        super::super::create(object, &birth).unwrap()
    }

    fn deployment(object: Object) -> Deployment {
        Deployment::try_from(object).unwrap()
    }

    #[test]
    fn a_changed_spec_is_a_new_generation_and_a_changed_label_is_not() {
        let old = stored();
        let mut new = old.clone();
        new.meta_mut().labels.insert("a".to_owned(), "b".to_owned());
        assert_eq!(update(new, &old).unwrap().meta().generation, 1);
        let scaled = set_scale(&old, 7).unwrap();
        assert_eq!(scaled.meta().generation, 2);
        assert_eq!(deployment(scaled).spec.replicas, Some(7));
        assert!(set_scale(&old, -1).unwrap_err().to_string().contains("greater than or equal to 0"));
    }

    #[test]
    fn a_status_update_changes_nothing_else() {
        let old = stored();
        let mut new = deployment(old.clone());
        new.spec.replicas = Some(9);
        new.status.observed_generation = 5;
        let updated = deployment(update_status(new.into(), &old).unwrap());
        assert_eq!((updated.spec.replicas, updated.status.observed_generation), (Some(3), 5));
    }

    #[test]
    fn a_pod_is_bound_once() {
        let pod = bind(&Pod::default(), "node-0", Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(pod.spec.node_name, "node-0");
        assert!(
            bind(&pod, "node-1", Timestamp::UNIX_EPOCH)
                .unwrap_err()
                .to_string()
                .contains("already assigned to node \"node-0\"")
        );
    }
}
