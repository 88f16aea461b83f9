//! Measurements that a user can repeat: each says what it measured and on what.

pub mod failover;
pub mod load;
pub mod startup;
pub mod store;
