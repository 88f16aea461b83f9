//! Benchmarks that users can repeat: each reports what it measured and how.

pub mod failover;
mod fan_out;
pub mod load;
pub mod rollout;
pub mod size;
pub mod startup;
pub mod store;
