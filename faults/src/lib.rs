//! What can be broken inside a process on purpose, and how it is asked to: over gRPC, on a Unix socket of its cluster's
//! folder. A process that is started without such a socket cannot be broken.
//!
//! `board` holds the faults in force in this process; `clock` and `watches` ask it, and so does the disk of an apiserver.
//! `switch` asks a process to break, `service` answers, `flags` make a process breakable. `mutants` are protections that
//! can be left out, to see whether their absence is noticed.

mod board;
mod clock;
mod flags;
pub mod mutants;
mod service;
mod switch;
mod watches;

pub use board::{Bite, Board, process};
pub use clock::now;
pub use flags::FaultArgs;
pub use service::{Target, listen, serve};
pub use squall_proto::squall::faults::v1::fault::What;
pub use squall_proto::squall::faults::v1::{
    ClockFault, DiskFault, Fault, InForce, LinkFault, Passage, Receipt, WatchFault,
};
pub use switch::{Switch, SwitchError};
pub use watches::may_see;
