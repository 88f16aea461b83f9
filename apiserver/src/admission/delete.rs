//! Decides what a delete does: remove the object, mark it for deletion (grace period, finalizers), or nothing.

use jiff::Timestamp;
use squall_api::kinds::{CUSTOM_RESOURCE_CLEANUP, condition, is_pod_terminal, set_condition};
use squall_api::metav1::v1::Time;
use squall_api::timing::shifted;
use squall_api::{Error, Kind, Object};

/// Namespaces that Kubernetes' NamespaceLifecycle admission protects from deletion.
const IMMORTAL: [&str; 3] = ["default", "kube-system", "kube-public"];
const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";

/// The options of a delete request.
#[derive(Debug, Clone, Default)]
pub struct DeleteOptions {
    /// Grace period in seconds; `None` uses the object's own.
    pub grace_period: Option<i64>,
    /// Propagation policy: "Background", "Foreground" or "Orphan"; empty for the default.
    pub propagation: String,
    /// Required uid of the object; empty for any.
    pub uid: String,
}

/// The outcome of a delete request.
#[derive(Debug, Clone, PartialEq)]
pub enum Deletion {
    /// Remove the object.
    Remove,
    /// Store the object in this form. It is removed later.
    Mark(Box<Object>),
    /// Change nothing: the object is already being deleted.
    Nothing,
}

/// Decides what a delete does to the object. `now` is the time of the request.
pub fn delete(object: &Object, options: &DeleteOptions, now: Timestamp) -> Result<Deletion, Error> {
    let kind = object.kind();
    let meta = object.meta();
    if kind == Kind::Namespace && IMMORTAL.contains(&meta.name.as_str()) {
        return Err(Error::forbidden(kind, &meta.name, "this namespace may not be deleted"));
    }
    if !options.uid.is_empty() && options.uid != meta.uid {
        let detail = format!(
            "the UID in the precondition ({}) does not match the UID in record ({}). The object might have been deleted and then \
             recreated",
            options.uid, meta.uid
        );
        return Err(Error::conflict(kind, &meta.name, &detail));
    }
    let mut marked = object.clone();
    set_propagation(&mut marked, &options.propagation)?;
    if let Object::CustomResourceDefinition(definition) = &mut marked
        && meta.deletion_timestamp.is_none()
        && !definition.metadata.finalizers.iter().any(|finalizer| finalizer == CUSTOM_RESOURCE_CLEANUP)
    {
        // From the first moment: its objects go before it.
        definition.metadata.finalizers.push(CUSTOM_RESOURCE_CLEANUP.to_owned());
    }
    let grace = grace_period(object, options);
    let first_time = meta.deletion_timestamp.is_none();
    if grace == 0 && !has_finalizers(&marked) {
        return Ok(Deletion::Remove);
    }
    let requested = request_time(object).unwrap_or(now);
    let deadline = shifted(requested, grace).max(now);
    let earlier = meta.deletion_timestamp.is_none_or(|current| deadline.as_second() < current.seconds);
    if first_time || (earlier && meta.deletion_grace_period_seconds.is_some_and(|current| grace < current)) {
        let new = marked.meta_mut();
        new.deletion_timestamp = Some(Time::from_timestamp(deadline));
        new.deletion_grace_period_seconds = Some(grace);
        if first_time && new.generation > 0 {
            new.generation = new.generation.saturating_add(1);
        }
    }
    match &mut marked {
        Object::Namespace(namespace) => "Terminating".clone_into(&mut namespace.status.phase),
        Object::CustomResourceDefinition(definition) => set_condition(
            definition,
            condition(
                "Terminating",
                "True",
                "InstanceDeletionPending",
                "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
            ),
            now,
        ),
        _ => {}
    }
    if marked == *object { Ok(Deletion::Nothing) } else { Ok(Deletion::Mark(Box::new(marked))) }
}

/// Whether finalizers hold the object once it is deleted. Those of a namespace's content are in its spec.
#[must_use]
pub fn has_finalizers(object: &Object) -> bool {
    let holds_content = matches!(object, Object::Namespace(namespace) if !namespace.spec.finalizers.is_empty());
    holds_content || !object.meta().finalizers.is_empty()
}

/// Returns the grace period in seconds. It is 0 unless the object is a pod that is bound to a node and has not ended.
fn grace_period(object: &Object, options: &DeleteOptions) -> i64 {
    let Object::Pod(pod) = object else { return 0 };
    if pod.spec.node_name.is_empty() || is_pod_terminal(pod) {
        return 0;
    }
    match options.grace_period.or(pod.spec.termination_grace_period_seconds).unwrap_or(30) {
        ..0 => 1,
        seconds => seconds,
    }
}

/// Returns the time of the first delete request, if there was one.
fn request_time(object: &Object) -> Option<Timestamp> {
    let meta = object.meta();
    let deadline = meta.deletion_timestamp?.timestamp();
    Some(shifted(deadline, meta.deletion_grace_period_seconds.unwrap_or(0).saturating_neg()))
}

fn set_propagation(object: &mut Object, propagation: &str) -> Result<(), Error> {
    let kind = object.kind();
    let finalizers = &mut object.meta_mut().finalizers;
    let wanted = match propagation {
        // Kubernetes: deleting a ReplicationController orphans its pods by default.
        "" if finalizers.iter().any(|f| f == FOREGROUND || f == ORPHAN) => return Ok(()),
        "" if kind == Kind::ReplicationController => Some(ORPHAN),
        "" | "Background" => None,
        "Foreground" => Some(FOREGROUND),
        "Orphan" => Some(ORPHAN),
        other => {
            return Err(Error::bad_request(format!(
                "invalid propagation policy {other:?}: must be one of Background, Foreground, Orphan"
            )));
        }
    };
    finalizers.retain(|finalizer| finalizer != FOREGROUND && finalizer != ORPHAN);
    finalizers.extend(wanted.map(str::to_owned));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_api::core::v1::{ConfigMap, Namespace, Pod, ReplicationController};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn running_pod() -> Object {
        let mut pod = Pod::default();
        pod.metadata.uid = "u".to_owned();
        pod.spec.node_name = "node-0".to_owned();
        pod.spec.termination_grace_period_seconds = Some(30);
        pod.into()
    }

    fn grace(seconds: i64) -> DeleteOptions {
        DeleteOptions { grace_period: Some(seconds), ..DeleteOptions::default() }
    }

    fn marked(object: &Object, options: &DeleteOptions, now: i64) -> Object {
        match delete(object, options, at(now)).unwrap() {
            Deletion::Mark(object) => *object,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_running_pod_has_until_its_deadline() {
        let pod = marked(&running_pod(), &DeleteOptions::default(), 100);
        assert_eq!(pod.meta().deletion_timestamp.map(|t| t.seconds), Some(130));
        assert_eq!(delete(&pod, &DeleteOptions::default(), at(110)).unwrap(), Deletion::Nothing);
        assert_eq!(delete(&pod, &grace(60), at(110)).unwrap(), Deletion::Nothing);
        assert_eq!(marked(&pod, &grace(20), 110).meta().deletion_timestamp.map(|t| t.seconds), Some(120));
        assert_eq!(delete(&pod, &grace(0), at(110)).unwrap(), Deletion::Remove);
    }

    /// Such a pod stopped two apiservers.
    #[test]
    fn no_grace_period_is_too_long_to_count() {
        for seconds in [i64::MIN, -1, i64::MAX - 1, i64::MAX] {
            let Object::Pod(mut pod) = running_pod() else { panic!("it is a pod") };
            pod.spec.termination_grace_period_seconds = Some(seconds);
            for options in [DeleteOptions::default(), grace(seconds)] {
                let once = marked(&Object::Pod(pod.clone()), &options, 100);
                assert!(once.meta().deletion_timestamp.unwrap().timestamp() > at(100));
                for next in [grace(seconds), grace(20), grace(i64::MAX)] {
                    assert!(delete(&once, &next, at(110)).is_ok());
                }
            }
        }
    }

    #[test]
    fn a_pod_without_a_kubelet_goes_at_once() {
        assert_eq!(delete(&Pod::default().into(), &DeleteOptions::default(), at(0)).unwrap(), Deletion::Remove);
    }

    #[test]
    fn finalizers_hold_an_object() {
        let rc: Object = ReplicationController::default().into();
        assert_eq!(marked(&rc, &DeleteOptions::default(), 5).meta().finalizers, [ORPHAN]);
        let background = DeleteOptions { propagation: "Background".to_owned(), ..DeleteOptions::default() };
        assert_eq!(delete(&rc, &background, at(5)).unwrap(), Deletion::Remove);
        let mut held = ConfigMap::default();
        held.metadata.finalizers.push("mine/x".to_owned());
        let held = marked(&held.into(), &DeleteOptions::default(), 5);
        assert_eq!(delete(&held, &DeleteOptions::default(), at(9)).unwrap(), Deletion::Nothing);
    }

    #[test]
    fn the_namespaces_of_the_system_stay() {
        let named = |name: &str| {
            let mut namespace = Namespace::default();
            name.clone_into(&mut namespace.metadata.name);
            delete(&namespace.into(), &DeleteOptions::default(), at(0)).map_err(|error| error.to_string())
        };
        for name in IMMORTAL {
            assert_eq!(
                named(name),
                Err(format!("namespaces \"{name}\" is forbidden: this namespace may not be deleted"))
            );
        }
        assert_eq!(named("mine"), Ok(Deletion::Remove));
    }

    #[test]
    fn another_object_of_the_same_name_stays() {
        let options = DeleteOptions { uid: "other".to_owned(), ..DeleteOptions::default() };
        assert!(
            delete(&running_pod(), &options, at(0))
                .unwrap_err()
                .to_string()
                .contains("the UID in the precondition (other)")
        );
    }
}
