//! The apiserver: a Raft-replicated store of Kubernetes objects.
//!
//! A request comes in at `grpc` or `rest`, becomes a call of `handlers` on behalf of whoever sent it (`identity`), which
//! `authorization` lets through to the `registry`; is decided by `admission`, written through `raft` into the `store`,
//! and seen by everyone through `watch`.

pub mod admission;
pub mod authorization;
pub mod folder;
pub mod grpc;
pub mod handlers;
pub mod host;
pub mod keys;
pub mod metrics;
pub mod raft;
pub mod registry;
pub mod rest;
pub mod restore;
pub mod scan;
pub mod server;
pub mod store;
pub mod watch;
pub mod write_log;
