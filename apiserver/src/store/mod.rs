//! The state machine: a sorted map from keys to bytes, changed by transactions and by nothing else.
//!
//! Everything here is a pure function of the commands applied: no clock, no randomness, no IO. Replication is in
//! `raft`, what the bytes mean is in `admission` and `grpc`.

mod history;
mod index;
mod requests;
#[cfg(test)]
mod scratch;
mod state;
mod transaction;
mod view;

pub use history::{Change, History};
pub use index::Term;
pub use requests::Requests;
#[cfg(test)]
pub(crate) use scratch::Store;
pub use state::{Entry, State};
pub use transaction::{Compare, Outcome, RequestId, Revision, Target, Transaction, Write};
pub use view::View;
