//! A local cluster: real processes in a folder. No other crate starts or ends these processes.
//!
//! `folder` knows the description and the files, `signals` the processes of the members, `launcher` starts them, and
//! `cluster` joins the three. `flags` of the servers are structs that they share with this crate.

mod addresses;
mod certificates;
mod clients;
mod cluster;
mod command;
mod creation;
mod description;
mod faults;
mod files;
mod folder;
mod found;
mod guard;
mod launcher;
pub mod leaders;
mod lifetime;
mod links;
mod lock;
mod member;
mod options;
mod pause;
mod pki;
mod process;
mod programs;
mod ready;
mod reservation;
mod scaling;
mod signals;
mod snapshots;
mod usage;

pub use clients::{ClientCommand, ClientProcess};
pub use cluster::Cluster;
pub use creation::check_images;
pub use found::{end_all_in, end_orphans_of};
pub use lifetime::Lifetime;
pub use links::{CLIENTS, End, Proxy};
pub use member::{MemberName, Role};
pub use options::Options;
pub use process::ProcessState;
pub use ready::{Failed, wait_until_ready, wait_until_usable};
pub use snapshots::snapshot_summary;
pub use squall_flags::{SnapshotSummary, TimingProfile};
pub use usage::Usage;
