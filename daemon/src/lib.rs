//! The code that all long-running processes share: the frame around `main`, tracing, signals, TLS and the identity of
//! callers, connections to nodes, timing.

// This crate reads numbers from outside. Tests may count on their own.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

pub mod carried;
mod gateway;
pub mod identity;
mod panics;
mod process;
mod timing;
pub mod tls;

pub use gateway::{Gateway, destination, say_connected};
pub use panics::{Guarded, guarded};
pub use process::{Work, run};
pub use timing::Timing;
