//! The claims of a service: addresses and node ports that only one service can have. They are taken and released in the
//! transaction that writes the service.

use bytes::Bytes;
use squall_api::{Error, Object};

use super::Registry;
use super::transaction::Draft;
use crate::admission::{Claim, choose_addresses, claims};
use crate::store::{Compare, Target, Write};

/// The claims that a change of a service takes and releases.
#[derive(Default)]
pub(super) struct Claims {
    taken: Vec<Claim>,
    given_back: Vec<Claim>,
    owner: Bytes,
    /// Claims that the user named, which must be free. The server can choose the others again.
    named: Vec<Claim>,
}

impl Claims {
    /// Adds the claims to a change, after its own comparisons.
    pub(super) fn add_to(&self, change: &mut Draft) {
        let free = |claim: &Claim| Compare { key: claim.key.clone(), target: Target::ModRevision(0) };
        change.compares.extend(self.taken.iter().map(free));
        change
            .writes
            .extend(self.taken.iter().map(|claim| Write { key: claim.key.clone(), value: Some(self.owner.clone()) }));
        change.writes.extend(self.given_back.iter().map(|claim| Write { key: claim.key.clone(), value: None }));
    }

    /// Handles a claim that another service took first: an error if the user named it, otherwise the caller retries.
    pub(super) fn refused(&self, place: usize, object: &Object) -> Result<(), Error> {
        match self.taken.get(place).filter(|claim| self.named.contains(claim)) {
            Some(claim) => Err(claim.error(&object.meta().name)),
            None => Ok(()),
        }
    }
}

impl Registry {
    /// Chooses the addresses that a service lacks, and returns the claims to take and release.
    pub(super) fn claim_addresses(&self, new: &mut Object, old: Option<&Object>) -> Result<Claims, Error> {
        let Object::Service(service) = new else { return Ok(Claims::default()) };
        let before = match old {
            Some(Object::Service(old)) => claims(old),
            _ => Vec::new(),
        };
        let state = self.member().view().state();
        let named = claims(service);
        // The ports of a service may change their order.
        let is_new = |claim: &&Claim| before.iter().all(|other| other.key != claim.key);
        for claim in named.iter().filter(is_new) {
            if state.get(&claim.key).is_some() {
                return Err(claim.error(&service.metadata.name));
            }
        }
        choose_addresses(service, self.inner.service_range, fastrand::u64(..), |key| state.get(key).is_some())?;
        let after = claims(service);
        let without = |some: &[Claim], others: &[Claim]| -> Vec<Claim> {
            some.iter().filter(|claim| others.iter().all(|other| other.key != claim.key)).cloned().collect()
        };
        Ok(Claims {
            taken: without(&after, &before),
            given_back: without(&before, &after),
            owner: format!("{}/{}", service.metadata.namespace, service.metadata.name).into(),
            named,
        })
    }
}
