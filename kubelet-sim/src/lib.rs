//! A simulated kubelet and its runtime.
//!
//! A node is two processes: the `agent` is the kubelet, which follows the pods bound to its node and reports on them;
//! the `runtime` holds the containers and the service data plane. They speak over a Unix socket, so that a kubelet can
//! die while its pods go on serving.

pub mod agent;
pub mod catalogue;
pub mod lifecycle;
pub mod runtime;
