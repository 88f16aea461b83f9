//! Adoption and release: which objects an owner controls, which it adopts, and which it releases.

use squall_api::labels::Selector;
use squall_api::metav1::v1::{ObjectMeta, OwnerReference};
use squall_api::{Object, Resource, meta};

use super::action::Action;

/// The decision of an owner about an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// The owner neither controls nor adopts it.
    Ignore,
    /// The owner controls it.
    Keep,
    /// It has no controller, and the owner selects it.
    Adopt,
    /// The owner controls it, but no longer selects it.
    Release,
}

/// Decides what the owner should do about the object (Kubernetes: `ClaimObject`).
#[must_use]
pub fn claim(owner: &ObjectMeta, selector: &Selector, object: &ObjectMeta) -> Claim {
    let selected = selector.matches(&object.labels);
    let leaving = owner.deletion_timestamp.is_some();
    match meta::controller_of(object) {
        Some(controller) if controller.uid != owner.uid => Claim::Ignore,
        Some(_) if selected => Claim::Keep,
        Some(_) if leaving => Claim::Keep,
        Some(_) => Claim::Release,
        None if selected && !leaving && object.deletion_timestamp.is_none() => Claim::Adopt,
        None => Claim::Ignore,
    }
}

/// Returns the action that carries out a claim, if one is needed.
#[must_use]
pub fn settle<O: Resource, K: Resource>(claim: Claim, owner: &O, object: &K) -> Option<Action>
where
    Object: From<K>,
{
    let mut owners: Vec<OwnerReference> = object.meta().owner_references.clone();
    match claim {
        Claim::Ignore | Claim::Keep => return None,
        Claim::Adopt => owners.push(meta::controller_reference(owner)),
        Claim::Release => owners.retain(|reference| reference.uid != owner.meta().uid),
    }
    Some(Action::SetOwners { object: Box::new(object.clone().into()), owners })
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_api::metav1::v1::Time;

    fn object(owner: &str, label: &str, deleting: bool) -> ObjectMeta {
        let mut object = ObjectMeta::default();
        object.labels.insert("app".to_owned(), label.to_owned());
        object.deletion_timestamp = deleting.then_some(Time { seconds: 1, nanos: 0 });
        if !owner.is_empty() {
            object.owner_references.push(OwnerReference {
                uid: owner.to_owned(),
                controller: Some(true),
                ..OwnerReference::default()
            });
        }
        object
    }

    #[test]
    fn claims_follow_the_table_of_kubernetes() {
        let selector = Selector::parse("app=kubia").unwrap();
        for (leaving, owner, label, deleting, expected) in [
            (false, "other", "kubia", false, Claim::Ignore),
            (false, "me", "kubia", false, Claim::Keep),
            (false, "me", "x", false, Claim::Release),
            (true, "me", "x", false, Claim::Keep),
            (false, "", "kubia", false, Claim::Adopt),
            (false, "", "kubia", true, Claim::Ignore),
            (true, "", "kubia", false, Claim::Ignore),
            (false, "", "x", false, Claim::Ignore),
        ] {
            let me = ObjectMeta { uid: "me".to_owned(), ..object("", "", leaving) };
            assert_eq!(
                claim(&me, &selector, &object(owner, label, deleting)),
                expected,
                "{leaving} {owner} {label} {deleting}"
            );
        }
    }
}
