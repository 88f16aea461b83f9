//! What a member needs of the machine that it runs on. All of it is an argument, so that the same code runs on a machine
//! that is simulated. `disk` says what a disk does, `local` is the one of this machine.

mod disk;
mod local;

pub use disk::{Disk, Output, Work, read_all, waited};
pub use local::LocalDisk;
