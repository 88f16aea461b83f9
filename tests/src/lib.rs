//! What the black-box tests share: a cluster of their own, and waiting for conditions.

mod lab;
mod traffic;

pub use lab::{Lab, wait_for};
pub use traffic::{Tally, Traffic};
