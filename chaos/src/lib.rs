//! Breaking clusters on purpose, and judging what held.
//!
//! `traffic` are the clients, `leaders` says who leads, `history` records every change of the store, `invariants` are
//! what must hold of it, `referee` judges by them, `demo` is the scenario that shows it all,
//! `soak` breaks the store for as long as one likes, `bench` are measurements.

pub mod bench;
pub mod demo;
pub mod faults;
pub mod history;
pub mod invariants;
pub mod leaders;
pub mod random;
pub mod referee;
pub mod report;
pub mod scenario;
mod service;
pub mod soak;
mod span;
pub mod stage;
pub mod traffic;
pub mod verdict;
mod wait;

pub use wait::{PATIENCE, wait_for};
