//! Rollouts and the machinery under them, on real processes.

mod deletion;
mod field_bugs;
mod machinery;
mod quota;
mod returning_node;
mod rolling_update;
mod rollout;
