//! Clients of a cluster whose every answer is checked, and the recorder of its history. They know nothing of processes:
//! the lab, the soak and the simulation use the same ones.
//!
//! `clients` write, read and watch keys, `ledger` keeps the books on them, `counter` is a number that several clients
//! increment, `checkers` runs all of these together. `traffic` asks a service (found by `service`), `recorder` writes the
//! history of the store, `agreement` compares the apiservers.

pub mod agreement;
mod checkers;
pub mod clients;
mod counter;
pub mod ledger;
mod recorder;
pub mod service;
pub mod traffic;

pub use checkers::Checkers;
pub use recorder::{Recorder, Witness};
