//! How to talk to a cluster: find it, reach any of its apiservers, ask again when one is gone, watch without a gap.
//!
//! `kubeconfig` says where a cluster is, `client` reaches it by its `endpoints`, `admin` looks after it, `access` says
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
mod watch;

pub use access::{Identity, Review};
pub use api::{Api, DeleteParams, manifest};
pub use cache::{Cache, Change};
pub use client::{Client, Reply, ResourceRef};
pub use election::{Elector, ElectorConfig, Term};
pub use endpoints::{Connect, over_tls};
pub use error::Error;
pub use kubeconfig::{ClusterEntry, Kubeconfig};
pub use squall_api::error::Reason;
pub use squall_proto::squall::admin::v1::{StateAt, StatusReply as MemberStatus};
pub use squall_proto::squall::api::v1::manifest::Encoding;
pub use squall_proto::squall::api::v1::{DeleteRequest, Fence, Manifest, WriteOptions};
pub use watch::{Event, Selection, Watch};
