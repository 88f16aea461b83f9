//! Admission of a new object: server-set fields, defaults and validation.

use jiff::Timestamp;
use squall_api::field::Errors;
use squall_api::metav1::v1::Time;
use squall_api::{Error, Object, meta};

/// Values for a new object that a pure function cannot produce.
#[derive(Debug, Clone)]
pub struct Birth {
    /// Becomes `metadata.uid`.
    pub uid: String,
    /// Becomes `metadata.creationTimestamp`.
    pub now: Timestamp,
    /// Seeds the random suffix of a generated name.
    pub seed: u64,
}

/// Returns the object as it is to be stored, or all validation errors at once.
pub fn create(mut object: Object, birth: &Birth) -> Result<Object, Error> {
    let kind = object.kind();
    let metadata = object.meta_mut();
    if !metadata.resource_version.is_empty() {
        return Err(Error::bad_request("resourceVersion should not be set on objects to be created"));
    }
    if metadata.name.is_empty() && !metadata.generate_name.is_empty() {
        let mut random = fastrand::Rng::with_seed(birth.seed);
        metadata.name = meta::generate_name(&metadata.generate_name, |below| random.usize(..below));
    }
    metadata.uid.clone_from(&birth.uid);
    metadata.creation_timestamp = Time::from_timestamp(birth.now);
    metadata.deletion_timestamp = None;
    metadata.deletion_grace_period_seconds = None;
    metadata.generation = 0;
    metadata.self_link.clear();
    object.set_defaults();
    object.prepare_create();
    let mut errors = Errors::default();
    meta::validate(kind, object.meta(), &mut errors);
    object.validate(&mut errors);
    if errors.is_empty() { Ok(object) } else { Err(Error::invalid(kind, &object.meta().name, &errors)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_api::core::v1::{Container, Pod};

    fn birth() -> Birth {
        Birth { uid: "u".to_owned(), now: Timestamp::UNIX_EPOCH, seed: 1 }
    }

    fn pod() -> Pod {
        let mut pod = Pod::default();
        pod.metadata.namespace = "default".to_owned();
        pod.metadata.generate_name = "kubia-".to_owned();
        pod.spec.containers.push(Container { name: "c".to_owned(), image: "i:1".to_owned(), ..Container::default() });
        pod
    }

    #[test]
    fn the_server_sets_what_is_its_own() {
        let mut given = pod();
        given.metadata.uid = "mine".to_owned();
        given.metadata.generation = 9;
        given.status.phase = "Running".to_owned();
        let Object::Pod(created) = create(given.into(), &birth()).unwrap() else { panic!("not a pod") };
        assert_eq!((created.metadata.uid.as_str(), created.metadata.generation), ("u", 1));
        assert_eq!(created.status.phase, "Pending");
        assert!(created.metadata.name.starts_with("kubia-") && created.metadata.name.len() == 11);
    }

    #[test]
    fn what_is_wrong_is_told_all_at_once() {
        let mut given = pod();
        given.metadata.generate_name.clear();
        given.spec.containers[0].image.clear();
        let error = create(given.into(), &birth()).unwrap_err().to_string();
        assert_eq!(
            error,
            "Pod \"\" is invalid: [metadata.name: Required value: name or generateName is required, \
             spec.containers[0].image: Required value]"
        );
    }
}
