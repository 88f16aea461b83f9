//! The state machine: a sorted map from keys to bytes that only transactions change.
//!
//! Everything here is a pure function of the applied commands: no clock, no randomness, no IO. `raft` replicates the
//! commands; `admission` and `registry` know what the bytes mean.

mod history;
mod index;
mod requests;
#[cfg(test)]
mod scratch;
mod state;
mod transaction;
mod view;

pub use history::{Change, History, Limit};
pub use index::Term;
pub use requests::Requests;
#[cfg(test)]
pub(crate) use scratch::Store;
pub use state::{Entry, State};
pub use transaction::{Compare, Outcome, RequestId, Revision, Target, Transaction, Write};
pub use view::View;
