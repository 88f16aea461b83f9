//! The flags of `ctl demo` and `ctl soak`, and types that other commands of the lab share with them.

use std::time::Duration;

use clap::{Args, ValueEnum};
use squall_cluster::TimingProfile;
use squall_lab::soak::LONGEST_MS;

/// Flags for a cluster that lives only as long as the command.
#[derive(Debug, Args)]
pub struct LabArgs {
    /// Number of nodes
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=100))]
    pub nodes: u8,
    /// Timing: Kubernetes' constants, or all of them divided by ten
    #[arg(long, value_enum, default_value_t = TimingProfile::Fast)]
    pub timing: TimingProfile,
    /// Output format of the result on standard output
    #[arg(short, long, value_enum)]
    pub output: Option<StatusOutput>,
}

#[derive(Debug, Args)]
pub struct SoakArgs {
    /// Seed of the fault schedule [default: random]
    #[arg(long)]
    pub seed: Option<u64>,
    /// Run until at least this many writes are acknowledged
    #[arg(long, default_value_t = 10_000, conflicts_with = "duration")]
    pub writes: u64,
    /// Run until at least this many faults are injected
    #[arg(long, default_value_t = 20, conflicts_with = "duration", value_parser = clap::value_parser!(u64).range(1..))]
    pub faults: u64,
    /// Run for this long, and inject one fault after the other
    #[arg(long, value_parser = duration_of_soak)]
    pub duration: Option<Duration>,
    /// Number of clients that write
    #[arg(long, default_value_t = 16)]
    pub writers: usize,
    /// Number of clients that read
    #[arg(long, default_value_t = 8)]
    pub readers: usize,
    /// Number of clients that watch
    #[arg(long, default_value_t = 3)]
    pub watchers: usize,
    /// Output format
    #[arg(short, long, value_enum)]
    pub output: Option<StatusOutput>,
}

/// At most a day: all faults are drawn in advance.
fn duration_of_soak(text: &str) -> Result<Duration, String> {
    let duration = squall_api::duration::parse(text)?;
    match duration.as_millis() <= LONGEST_MS.into() {
        true => Ok(duration),
        false => Err("a soak lasts 24h at most; run another one, with another seed".to_owned()),
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum StatusOutput {
    /// JSON, for scripts
    Json,
}
