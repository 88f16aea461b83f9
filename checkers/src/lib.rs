//! Clients of a cluster that check every answer, and the recorder of its history. They know nothing about processes:
//! the lab, the soak test and the simulation use the same ones.
//!
//! `clients` write, read and watch keys, `ledger` records their answers, `counter` is a number that several clients
//! increment, `checkers` runs all of these together. `traffic` sends requests to a service (found by `service`),
//! `recorder` records the history of the store, `agreement` compares the apiservers, `marker` makes watches report their progress.

pub mod agreement;
mod checkers;
pub mod clients;
mod counter;
pub mod ledger;
mod marker;
mod recorder;
pub mod service;
pub mod traffic;

pub use checkers::Checkers;
pub use recorder::{Recorder, Witness};
