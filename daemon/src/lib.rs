//! What every long-running process repeats: the frame around `main`, tracing, signals, TLS, timing.

mod process;
mod timing;
pub mod tls;

pub use process::{ProcessArgs, run};
pub use timing::{Timing, TimingProfile};
