//! Measurements that a user can repeat: each says what it measured and on what.

pub mod failover;
mod fan_out;
pub mod load;
pub mod rollout;
pub mod size;
pub mod startup;
pub mod store;
