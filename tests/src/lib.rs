//! Shared code of the black-box tests: a cluster for each test, and `ctl` as a user runs it.

mod ctl;
pub mod kubectl;
mod lab;
pub mod manifests;
pub mod modules;
pub mod page;
pub mod processes;
pub mod raw;
mod scratch;
pub mod transcript;

pub use ctl::{Ctl, Output};
pub use lab::Lab;
pub use scratch::{Scratch, running};
pub use squall_checkers::traffic::{Tally, Traffic};
pub use squall_client::wait_for;

/// A condition for [`wait_for`]: the error shows the state that was seen instead.
pub fn holds<T>(condition: bool, seen: T) -> Result<(), T> {
    if condition { Ok(()) } else { Err(seen) }
}
