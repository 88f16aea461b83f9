//! Judges the behavior of a cluster. Pure: no network, no clock, no process; it depends on `api` alone.
//!
//! `history` is every change of the store, `invariants` are the rules that every write keeps, `judge` applies them to a
//! history. `evidence` is everything else that was observed of a scenario, `verdict` combines all of it.

pub mod evidence;
pub mod history;
pub mod invariants;
pub mod judge;
pub mod verdict;
