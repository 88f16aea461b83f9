//! A client library: finds a cluster, connects to any of its apiservers, retries when one fails, and watches without
//! gaps.
//!
//! `kubeconfig` finds a cluster. `client` sends `requests` about a `resource` to its `endpoints` and reports them to a
//! `trace`. `admin` manages its members, `access` checks permissions, `api` is typed access, `watch` and `cache` follow
//! a collection, `events` records events, `election` elects a leader, `wait` waits for conditions.

// This crate reads numbers from outside. Tests may count on their own.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

mod access;
mod admin;
mod api;
mod bearer;
mod cache;
mod client;
mod correlate;
mod election;
mod endpoints;
mod error;
pub mod events;
mod kubeconfig;
mod requests;
mod resource;
mod status;
mod trace;
mod wait;
mod watch;

pub use access::{Identity, Review};
pub use api::{Api, DeleteParams, manifest};
pub use cache::{Cache, Change};
pub use client::{Client, Gate};
pub use election::{Elector, ElectorConfig, Term};
pub use endpoints::{Connect, over_tls};
pub use error::Error;
pub use kubeconfig::{ClusterEntry, FOLDER, Kubeconfig, nearest_folder};
pub use requests::Reply;
pub use resource::ResourceRef;
pub use squall_api::error::Reason;
pub use squall_proto::squall::admin::v1::{StateAt, StatusReply as MemberStatus};
pub use squall_proto::squall::api::v1::manifest::Encoding;
pub use squall_proto::squall::api::v1::{DeleteRequest, Fence, LogsReply, LogsRequest, Manifest, WriteOptions};
pub use status::api_error;
pub use trace::{Exchange, Observer, Sent};
pub use wait::{PATIENCE, TimedOut, wait_for};
pub use watch::{Event, Selection, Watch};
