//! The apiserver: a Raft-replicated store of Kubernetes objects.
//!
//! A request arrives at `grpc` or `rest`, which calls `handlers` on behalf of the caller. `authentication` knows callers by
//! their certificate, or by one of the `tokens` of service accounts. `authorization` permits it,
//! `registry` has `admission` decide the change and writes it through `raft` into the `store`, and `watch` reports it
//! to everyone. `connections` serves what arrives, `answering` refuses callers that take more than their share (`fairness`),
//! and `panics` answers for a handler that panics.

// This crate reads numbers from outside. Tests may count on their own.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

pub mod admission;
mod answering;
mod authentication;
pub mod authorization;
mod bounds;
mod connections;
mod fairness;
pub mod folder;
pub mod grpc;
pub mod handlers;
mod heavy;
pub mod host;
pub mod keys;
pub mod metrics;
mod panics;
mod patience;
pub mod raft;
mod refusal;
pub mod registry;
pub mod request;
pub mod rest;
pub mod restore;
pub mod scan;
pub mod server;
pub mod store;
mod tokens;
pub mod watch;
pub mod write_log;
