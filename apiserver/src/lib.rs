//! The apiserver: a Raft-replicated store of Kubernetes objects.
//!
//! A request arrives at `grpc` or `rest`, which calls `handlers` on behalf of the caller. `authorization` permits it,
//! `registry` has `admission` decide the change and writes it through `raft` into the `store`, and `watch` reports it
//! to everyone. `panics` answers for a handler that panics.

pub mod admission;
pub mod authorization;
pub mod folder;
pub mod grpc;
pub mod handlers;
pub mod host;
pub mod keys;
pub mod metrics;
mod panics;
pub mod raft;
pub mod registry;
pub mod request;
pub mod rest;
pub mod restore;
pub mod scan;
pub mod server;
pub mod store;
pub mod watch;
pub mod write_log;
