//! A state with its requests and changes, for tests.

use super::{Change, Outcome, Requests, State, Transaction};

/// Keeps every change.
#[derive(Default)]
pub(crate) struct Store {
    pub(crate) state: State,
    pub(crate) requests: Requests,
    pub(crate) changes: Vec<Change>,
}

impl Store {
    /// Applies a transaction as a member does.
    pub(crate) fn apply(&mut self, transaction: Transaction) -> Outcome {
        self.state.apply(transaction, &mut self.requests, &mut self.changes)
    }
}
