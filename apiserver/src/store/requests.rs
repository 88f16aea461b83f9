//! The outcomes of the last transactions by request ID, which identify repetitions.
//!
//! Not a part of [`super::State`], whose clones must stay cheap. But equally deterministic, and part of every snapshot.

use std::collections::{HashMap, VecDeque};

use super::transaction::{Outcome, RequestId};

/// Number of remembered transactions.
const REMEMBERED: usize = 16_384;

/// The outcomes of the last transactions.
#[derive(Debug, Clone, Default)]
pub struct Requests {
    outcomes: HashMap<RequestId, Outcome>,
    /// Oldest first.
    order: VecDeque<RequestId>,
}

impl Requests {
    /// Returns the outcome of a transaction, if it is still remembered.
    #[must_use]
    pub fn outcome(&self, id: &RequestId) -> Option<Outcome> {
        self.outcomes.get(id).copied()
    }

    /// Remembers an outcome and forgets the oldest one beyond the limit.
    pub fn remember(&mut self, id: RequestId, outcome: Outcome) {
        self.outcomes.insert(id, outcome);
        self.order.push_back(id);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.outcomes.remove(&oldest);
        }
    }

    /// Returns all remembered outcomes, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (&RequestId, Outcome)> {
        self.order.iter().filter_map(|id| Some((id, *self.outcomes.get(id)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_forgotten_in_order() {
        let id = |number: usize| {
            let mut id = [0; 16];
            id[..8].copy_from_slice(&number.to_le_bytes());
            id
        };
        let mut requests = Requests::default();
        for number in 0..=REMEMBERED {
            requests.remember(id(number), Outcome::Applied(number as u64));
        }
        assert_eq!(requests.iter().count(), REMEMBERED);
        assert_eq!(requests.outcome(&id(0)), None);
        assert_eq!(requests.iter().next(), Some((&id(1), Outcome::Applied(1))));
    }
}
