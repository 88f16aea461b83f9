//! What a member needs of the machine that it runs on. All of it is an argument, so that the same code runs on a machine
//! that is simulated. `disk` and `network` say what these do, `local_disk` and `local_network` are those of this machine,
//! `breakable_disk` is the former when it is broken on purpose.

mod breakable_disk;
mod disk;
mod local_disk;
mod local_network;
mod network;

pub use breakable_disk::BreakableDisk;
pub use disk::{Disk, Output, Work, read_all, waited};
pub use local_disk::LocalDisk;
pub use local_network::LocalNetwork;
pub use network::Network;

/// What time it is.
pub type Clock = fn() -> jiff::Timestamp;
