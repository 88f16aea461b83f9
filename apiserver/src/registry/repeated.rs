//! Requests repeated after a lost answer: they are not executed again and get the same answer.

use squall_api::decode::Expected;
use squall_api::{Error, Object};

use super::transaction::versioned;
use super::{Registry, decode_stored};
use crate::store::{RequestId, State};

/// Maximum number of attempts of a change if the object changes meanwhile, or a generated name is taken.
pub(super) const ATTEMPTS: usize = 8;

/// One transaction of a request. An update that finds no object continues as a create.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attempt {
    /// Changes or removes an existing object.
    Change(usize),
    /// Creates an object.
    Create(usize),
}

impl Attempt {
    const fn number(self) -> usize {
        match self {
            Self::Change(number) => number,
            Self::Create(number) => ATTEMPTS.saturating_add(number),
        }
    }

    fn all() -> impl Iterator<Item = Self> {
        (0..ATTEMPTS).map(Self::Change).chain((0..ATTEMPTS).map(Self::Create))
    }

    /// Returns the ID of this transaction in the store.
    pub(super) fn transaction_id(self, id: RequestId) -> RequestId {
        let mut mixed = id;
        let number = crc32fast::hash(&self.number().to_le_bytes()).to_le_bytes();
        mixed.iter_mut().zip(number).for_each(|(byte, other)| *byte ^= other);
        mixed
    }

    /// Returns a seed that is the same for a repeated request, so that it generates the same name.
    pub(super) fn seed(self, id: RequestId) -> u64 {
        let (low, high) = id.split_at(8);
        let word = |half: &[u8]| half.iter().fold(0u64, |word, byte| word << 8 | u64::from(*byte));
        word(low) ^ word(high).rotate_left(32) ^ self.number() as u64
    }
}

/// The result of a request that was already executed.
pub(super) struct Done {
    /// The object as it is now, or as it was before its removal.
    pub(super) object: Object,
    /// Whether the object is gone.
    pub(super) deleted: bool,
}

impl Registry {
    /// Returns the result of a request, if it was already executed and the store still remembers it.
    pub(super) fn done_before(
        &self,
        id: RequestId,
        expected: Expected<'_>,
        key: &str,
        state: &State,
    ) -> Result<Option<Done>, Error> {
        let applied = {
            let requests = self.member().view().requests();
            Attempt::all().find_map(|attempt| requests.outcome(&attempt.transaction_id(id))?.applied())
        };
        let Some(revision) = applied else { return Ok(None) };
        if let Some(entry) = state.get(key) {
            return Ok(Some(Done { object: decode_stored(expected, entry)?, deleted: false }));
        }
        let last = self.member().view().value_before_removal(key);
        let object = versioned(super::decode(expected, &last.unwrap_or_default(), 0)?, revision);
        Ok(Some(Done { object, deleted: true }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_attempt_of_a_request_is_a_transaction_of_its_own() {
        let ids: std::collections::BTreeSet<RequestId> =
            Attempt::all().map(|attempt| attempt.transaction_id([7; 16])).collect();
        assert_eq!(ids.len(), 2 * ATTEMPTS);
        assert_eq!(Attempt::Change(3).transaction_id([7; 16]), Attempt::Change(3).transaction_id([7; 16]));
        assert_ne!(Attempt::Change(3).transaction_id([7; 16]), Attempt::Change(3).transaction_id([8; 16]));
        assert_eq!(Attempt::Create(1).seed([7; 16]), Attempt::Create(1).seed([7; 16]));
        assert_ne!(Attempt::Create(1).seed([7; 16]), Attempt::Create(2).seed([7; 16]));
    }
}
