//! The crash lab: injects faults into clusters and records the results.
//!
//! A `scenario` lists what users do, which `faults` occur when, and what is expected. The `stage` runs it on its own
//! cluster; the referee judges it; `report` formats the result. `random` draws scenarios, `demo` is a rollout under
//! load with both leaders killed, `soak` tests the store for any length of time.

pub mod demo;
pub mod faults;
pub mod random;
pub mod report;
pub mod scenario;
pub mod soak;
pub mod stage;
