//! What every controller shares: the caches it reads, the queue of what to look at, the executor of what it decides.
//!
//! A controller is a pure function between the two: it observes the caches, plans, and the executor acts. It is never
//! asked about an object before the caches show what it wrote last.

mod action;
mod caches;
mod controller;
mod executor;
mod graph;
pub mod ownership;
mod queue;

pub use action::{Action, Plan};
pub use caches::{Caches, ObjectChange};
pub use controller::{Controller, Handle, start};
pub use graph::{Known, Place};
pub use queue::Key;
