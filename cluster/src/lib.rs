//! A local cluster: real processes in a folder. The only place where processes are started and ended.

mod addresses;
mod certificates;
mod cluster;
mod command;
mod ending;
mod files;
mod member;
mod pki;
mod process;
mod ready;
mod usage;

pub use cluster::{Cluster, Lifetime, Options};
pub use member::{MemberName, Role};
pub use process::ProcessState;
pub use ready::wait_until_ready;
pub use usage::Usage;
