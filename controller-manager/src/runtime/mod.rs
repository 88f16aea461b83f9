//! The machinery that all controllers share: the caches they read, the work queue, and the executor of their plans.
//!
//! A controller is a pure function between caches and executor: it observes the caches and plans, and the executor
//! acts. It never reconciles an object before the caches show its own last write.

mod action;
mod caches;
mod controller;
mod customs;
mod executor;
mod graph;
pub mod ownership;
mod queue;

pub use action::{Action, Plan};
pub use caches::{CachedKind, Caches, ObjectChange};
pub use controller::{Controller, Handle, start};
pub use customs::served;
pub use graph::{Known, ObjectRef};
pub use queue::Key;
