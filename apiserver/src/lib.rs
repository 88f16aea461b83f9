//! The apiserver: a Raft-replicated store of Kubernetes objects.
//!
//! A request comes in at `grpc`, becomes a call of the `registry`, is decided by `admission`, written through `raft`
//! into the `store`, and seen by everyone through `watch`.

pub mod admission;
pub mod folder;
pub mod grpc;
pub mod host;
pub mod keys;
pub mod metrics;
pub mod raft;
pub mod registry;
pub mod restore;
pub mod server;
pub mod store;
pub mod watch;
