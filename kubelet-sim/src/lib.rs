//! A simulated kubelet and its runtime.
//!
//! A node is two processes: the `agent` is the kubelet, which manages the pods bound to its node and reports on them;
//! the `runtime` runs the containers and the service data plane. They communicate over a Unix socket, so that a kubelet
//! can die while its pods keep serving.

// This crate reads numbers from outside. Tests may count on their own.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

pub mod agent;
pub mod catalogue;
mod environment;
pub mod lifecycle;
pub mod runtime;
mod service_links;
