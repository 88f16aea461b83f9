//! The parts of its machine that a member needs. Everything is passed as an argument, so that the same code runs on a
//! simulated machine. `disk` and `network` define the interfaces, `local_disk` and `local_network` implement them for
//! this machine, and `breakable_disk` injects faults into the local disk.

mod breakable_disk;
mod disk;
mod local_disk;
mod local_network;
mod network;

pub use breakable_disk::BreakableDisk;
pub use disk::{Disk, Note, Output, Work, read_all, waited};
pub use local_disk::LocalDisk;
pub use local_network::LocalNetwork;
pub use network::Network;

/// Returns the current time.
pub type Clock = fn() -> jiff::Timestamp;
