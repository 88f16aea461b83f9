//! How to talk to a cluster: find it, reach any of its apiservers, ask again when one is gone, watch without a gap.
//!
//! `kubeconfig` says where a cluster is, `client` reaches it by its `endpoints` with `requests`
//! about a `resource` (and tells a `trace` of them), `admin` looks after it, `access` says
//! what one may do there, `api` is typed access, `watch` and `cache` follow a collection, `election` decides who acts.

mod access;
mod admin;
mod api;
mod cache;
mod client;
mod election;
mod endpoints;
mod error;
pub mod events;
mod kubeconfig;
mod requests;
mod resource;
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
pub use kubeconfig::{ClusterEntry, Kubeconfig};
pub use requests::Reply;
pub use resource::ResourceRef;
pub use squall_api::error::Reason;
pub use squall_proto::squall::admin::v1::{StateAt, StatusReply as MemberStatus};
pub use squall_proto::squall::api::v1::manifest::Encoding;
pub use squall_proto::squall::api::v1::{DeleteRequest, Fence, LogsReply, LogsRequest, Manifest, WriteOptions};
pub use trace::{Exchange, Observer, Sent};
pub use wait::{PATIENCE, TimedOut, wait_for};
pub use watch::{Event, Selection, Watch};
