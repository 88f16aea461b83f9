//! What every long-running process repeats: the frame around `main`, tracing, signals, TLS and who is at its other end,
//! the way to nodes, timing.

mod gateway;
pub mod identity;
mod process;
mod timing;
pub mod tls;

pub use gateway::{Gateway, destination, say_connected};
pub use process::{ProcessArgs, run};
pub use timing::{Timing, TimingProfile};
