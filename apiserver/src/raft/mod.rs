//! Replication: the only place that names openraft.
//!
//! From the bottom up: `types` and `codec` say what an entry is, `log` keeps entries on disk, `snapshot` whole states,
//! `machine` applies entries to the store, `compaction` says when a snapshot is due, `network` and `service` are the two ends of a link between members, `pipe` the
//! stream on it, `takeover` what happens when it ends with its leader, `member` is what the rest of the apiserver holds.

mod backup;
mod codec;
mod compaction;
mod config;
#[cfg(test)]
mod conformance;
mod log;
mod machine;
mod member;
mod membership;
mod network;
mod peers;
mod pipe;
mod service;
mod snapshot;
mod takeover;
mod tasks;
mod types;
mod wire;

pub use backup::{Summary, restore, summary};
pub use config::{Config, LogLimits};
pub use member::{Member, MemberStatus, ProposeError};
pub use service::RaftService;
