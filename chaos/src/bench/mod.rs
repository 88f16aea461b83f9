//! Measurements that a user can repeat: each says what it measured and on what.

pub mod failover;
pub mod startup;
