//! A local cluster: real processes in a folder. No other crate starts or ends these processes.

mod addresses;
mod certificates;
mod clients;
mod cluster;
mod command;
mod ending;
mod faults;
mod files;
mod found;
pub mod leaders;
mod links;
mod lock;
mod member;
mod options;
mod pki;
mod process;
mod ready;
mod scaling;
mod snapshots;
mod starting;
mod usage;

pub use clients::{ClientCommand, ClientProcess};
pub use cluster::{Cluster, Lifetime};
pub use found::{end_all_in, end_orphans_of};
pub use links::{CLIENTS, End, Proxy};
pub use member::{MemberName, Role};
pub use options::Options;
pub use process::ProcessState;
pub use ready::wait_until_ready;
pub use snapshots::{SnapshotSummary, snapshot_summary};
pub use usage::Usage;

/// Pauses between polls for a condition without an event: the end of a process that is not a child, another's lock.
fn wait_a_moment() {
    #[expect(clippy::disallowed_methods, reason = "there is nothing to wait for but time")]
    std::thread::sleep(std::time::Duration::from_millis(5));
}
