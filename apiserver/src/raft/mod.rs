//! Replication. No other module uses openraft.
//!
//! From the bottom up: `types` and `codec` define entries, `log` keeps entries on disk, `snapshot` stores whole states,
//! `machine` applies entries to the store, and `compaction` decides when a snapshot is due. `network` and `service` are
//! the two ends of a link between members, `pipe` is the stream on it, and `takeover` replaces a leader whose stream
//! breaks. `member` is what the rest of the apiserver uses; `in_flight` bounds the writes that it passes on.

mod backup;
mod check;
mod codec;
mod compaction;
mod config;
#[cfg(test)]
mod conformance;
pub mod decoders;
mod forward;
mod in_flight;
mod log;
mod machine;
mod member;
mod membership;
mod network;
mod peers;
mod pipe;
mod promises;
mod service;
mod snapshot;
mod takeover;
mod tasks;
mod types;
mod wire;

pub use backup::{restore, summary};
pub use config::{Config, LogLimits};
pub use log::{Begun, LogFolder, tear};
pub use member::{Member, MemberStatus, ProposeError};
pub use service::RaftService;
