//! Faults that are injected into a process on purpose, over gRPC on a Unix socket in its cluster's folder. A process
//! that is started without such a socket cannot be broken.
//!
//! `board` holds the active faults of this process; `clock`, `watches` and an apiserver's disk look them up. `switch`
//! is the client and `service` the server of the protocol. `begin` makes a process breakable. `mutants` are protections
//! that can be disabled, to check that their absence is detected.

// This crate reads numbers from outside. Tests may count on their own.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

mod begin;
mod board;
mod clock;
pub mod mutants;
mod service;
mod switch;
mod watches;

pub use begin::begin;
pub use board::{Bite, Board, process};
pub use clock::now;
pub use service::{Target, listen, serve};
pub use squall_proto::squall::faults::v1::fault::What;
pub use squall_proto::squall::faults::v1::{
    ClockFault, DiskFault, Fault, InForce, LinkFault, Passage, Receipt, WatchFault,
};
pub use switch::{Switch, SwitchError};
pub use watches::may_see;
