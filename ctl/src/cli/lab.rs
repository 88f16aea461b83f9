//! The flags of what breaks clusters of its own: `ctl demo`, `ctl soak`; and what others share with them.

use clap::{Args, ValueEnum};

/// Of a cluster that lives as long as the command.
#[derive(Debug, Args)]
pub struct LabArgs {
    /// How many nodes
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=100))]
    pub nodes: u8,
    /// Kubernetes' constants, or all of them divided by ten
    #[arg(long, value_enum, default_value_t = Timing::Fast)]
    pub timing: Timing,
    /// json for scripts: the result on standard output
    #[arg(short, long, value_enum)]
    pub output: Option<StatusOutput>,
}

#[derive(Debug, Args)]
pub struct SoakArgs {
    /// Decides which faults come when; random if it is not given
    #[arg(long)]
    pub seed: Option<u64>,
    /// Go on until so many writes were acknowledged
    #[arg(long, default_value_t = 10_000)]
    pub writes: u64,
    /// And so many faults were made
    #[arg(long, default_value_t = 20)]
    pub faults: u64,
    /// How many clients write
    #[arg(long, default_value_t = 16)]
    pub writers: usize,
    /// How many clients read
    #[arg(long, default_value_t = 8)]
    pub readers: usize,
    /// How many clients watch
    #[arg(long, default_value_t = 3)]
    pub watchers: usize,
    /// json for scripts
    #[arg(short, long, value_enum)]
    pub output: Option<StatusOutput>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Timing {
    /// Kubernetes' constants divided by ten
    Fast,
    /// Kubernetes' constants
    K8s,
}

impl Timing {
    /// The word that processes are given.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::K8s => "k8s",
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum StatusOutput {
    /// JSON
    Json,
}
