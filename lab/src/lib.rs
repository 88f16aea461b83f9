//! The crash lab: breaks clusters on purpose, and records what came of it.
//!
//! A `scenario` says what users do, which `faults` come and when, and what is expected. The `stage` plays it on a cluster
//! of its own; the referee judges it; `report` shows it. `random` draws scenarios, `demo` is the one that shows the main
//! job, `soak` breaks the store for as long as one likes.

pub mod demo;
pub mod faults;
pub mod random;
pub mod report;
pub mod scenario;
pub mod soak;
pub mod stage;
