//! The flags of every server. A server parses its struct with clap; a launcher builds the same struct and calls
//! `to_args`. So a flag that a launcher misspells does not compile.
//!
//! The output that a launcher reads stands here too, as a struct.
//!
//! `to_args` takes its struct apart, so that it cannot forget a new flag. A test reads each command line back.

// This crate reads numbers from outside. Tests may count on their own.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

mod apiserver;
mod cidr;
mod controller_manager;
mod fault;
mod founder;
mod kubelet;
mod link_proxy;
mod process;
mod restore;
mod runtime;
mod summary;
mod timing;
mod tls;
mod words;

pub use apiserver::ApiserverFlags;
pub use cidr::Cidr;
pub use controller_manager::ControllerManagerFlags;
pub use fault::FaultFlags;
pub use founder::Founder;
pub use kubelet::{KubeletFlags, NODE};
pub use link_proxy::LinkProxyFlags;
pub use process::ProcessFlags;
pub use restore::RestoreFlags;
pub use runtime::{RuntimeFlags, SOCKET};
pub use summary::SnapshotSummary;
pub use timing::TimingProfile;
pub use tls::TlsFlags;
pub use words::{Words, long};

/// The flag with a member's own name.
pub const NAME: &str = "name";
