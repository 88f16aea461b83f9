//! What every long-running process repeats: the frame around `main`, tracing, signals, TLS and who is at its other end,
//! timing.

pub mod identity;
mod process;
mod timing;
pub mod tls;

pub use process::{ProcessArgs, run};
pub use timing::{Timing, TimingProfile};
