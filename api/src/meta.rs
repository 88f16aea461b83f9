//! The metadata that every object has: validation, owner references, generated names.

use squall_proto::meta::v1::{ObjectMeta, OwnerReference};

use crate::error::Error;
use crate::field::{Errors, Path};
use crate::kinds::{Kind, Resource, Scope};
use crate::{annotations, finalizers, names};

/// Validates the metadata of an object that is created or changed.
pub fn validate(kind: Kind, meta: &ObjectMeta, errors: &mut Errors) {
    let path = Path::new("metadata");
    let info = kind.info();
    if meta.name.is_empty() && meta.generate_name.is_empty() {
        errors.required(&path.child("name"), "name or generateName is required");
    } else if !meta.name.is_empty() {
        for problem in (info.name_rule)(&meta.name) {
            errors.invalid(&path.child("name"), &meta.name, &problem);
        }
    }
    match info.scope {
        Scope::Namespaced if meta.namespace.is_empty() => errors.required(&path.child("namespace"), ""),
        Scope::Namespaced => {
            for problem in names::dns1123_label(&meta.namespace) {
                errors.invalid(&path.child("namespace"), &meta.namespace, &problem);
            }
        }
        Scope::Cluster if !meta.namespace.is_empty() => {
            errors.forbidden(&path.child("namespace"), "not allowed on this type");
        }
        Scope::Cluster => {}
    }
    crate::labels::validate(&meta.labels, &path.child("labels"), errors);
    annotations::validate(&meta.annotations, &path.child("annotations"), errors);
    validate_owners(meta, &path.child("ownerReferences"), errors);
    finalizers::validate(&meta.finalizers, &path.child("finalizers"), errors);
}

fn validate_owners(meta: &ObjectMeta, path: &Path, errors: &mut Errors) {
    for (index, owner) in meta.owner_references.iter().enumerate() {
        let path = path.index(index);
        for (name, value) in
            [("apiVersion", &owner.api_version), ("kind", &owner.kind), ("name", &owner.name), ("uid", &owner.uid)]
        {
            if value.is_empty() {
                errors.invalid(&path.child(name), value, "must not be empty");
            }
        }
    }
    let controllers: Vec<&OwnerReference> =
        meta.owner_references.iter().filter(|o| o.controller == Some(true)).collect();
    if let [first, second, ..] = controllers.as_slice() {
        let detail = format!(
            "Only one reference can have Controller set to true. Found \"true\" in references for {}/{} and {}/{}",
            first.kind, first.name, second.kind, second.name
        );
        errors.invalid(path, &meta.owner_references, &detail);
    }
}

/// Rejects a change of the uid. An empty uid in the new metadata is allowed.
pub fn validate_update(kind: Kind, new: &ObjectMeta, old: &ObjectMeta) -> Result<(), Error> {
    if !new.uid.is_empty() && new.uid != old.uid {
        let detail = format!(
            "StorageError: invalid object, Code: 4, Key: /registry/{}/{}/{}, ResourceVersion: 0, AdditionalErrorMsg: \
             Precondition failed: UID in precondition: {}, UID in object meta: {}",
            kind.info().plural,
            old.namespace,
            old.name,
            new.uid,
            old.uid
        );
        return Err(Error::conflict(kind, &old.name, &detail));
    }
    Ok(())
}

/// Copies the fields that a writer cannot change from the stored object.
pub fn keep_immutable(new: &mut ObjectMeta, old: &ObjectMeta) {
    new.uid.clone_from(&old.uid);
    new.creation_timestamp = old.creation_timestamp;
    new.deletion_timestamp = old.deletion_timestamp;
    new.deletion_grace_period_seconds = old.deletion_grace_period_seconds;
    new.generation = old.generation;
    new.resource_version.clear();
    new.self_link.clear();
}

/// Returns the owner that controls the object.
#[must_use]
pub fn controller_of(meta: &ObjectMeta) -> Option<&OwnerReference> {
    meta.owner_references.iter().find(|owner| owner.controller == Some(true))
}

/// Creates a controller reference to the owner.
#[must_use]
pub fn controller_reference<K: Resource>(owner: &K) -> OwnerReference {
    OwnerReference {
        api_version: K::INFO.api_version(),
        kind: K::INFO.kind.to_owned(),
        name: owner.meta().name.clone(),
        uid: owner.meta().uid.clone(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

/// Generates a name with a random suffix; `random` returns numbers below its argument.
pub fn generate_name(prefix: &str, mut random: impl FnMut(usize) -> usize) -> String {
    let prefix = prefix.get(..names::MAX_GENERATED_PREFIX).unwrap_or(prefix);
    let suffix =
        (0..names::SUFFIX_LENGTH).map(|_| names::SUFFIX_ALPHABET[random(names::SUFFIX_ALPHABET.len())] as char);
    prefix.chars().chain(suffix).collect()
}

/// Parses a resource version as a number.
pub fn parse_resource_version(text: &str) -> Result<u64, Error> {
    text.parse().map_err(|_| {
        Error::bad_request(format!("Invalid value: {text:?}: resource version must be an unsigned integer"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_names_fit_into_a_dns_label() {
        let name = generate_name(&"x".repeat(100), |_| 0);
        assert_eq!(name.len(), 63);
        assert!(name.ends_with("bbbbb"));
        assert_eq!(generate_name("kubia-", |n| n - 1), "kubia-99999");
    }
}
