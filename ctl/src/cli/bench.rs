//! The flags of `ctl bench`.

use std::time::Duration;

use clap::{Args, Subcommand};
use squall_bench::store::{Target, Workload};

use squall_cluster::TimingProfile;

use super::lab::{LabArgs, StatusOutput};

#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// Measure the throughput and latency of reads and writes
    #[command(
        after_help = "Examples:\n  ctl bench store --clients 1,16,64,256\n  ctl bench store --workload get --clients 64 --duration 20s -o json"
    )]
    Store(BenchStoreArgs),
    /// Measure the cost of many objects: memory, listing, restart
    #[command(after_help = "Example:\n  ctl bench size --objects 150000 --value-bytes 2048")]
    Size(BenchSizeArgs),
    /// Measure how fast a cluster starts, and what it uses while idle
    #[command(after_help = "Example:\n  ctl bench startup --runs 10 --idle 60s")]
    Startup(BenchStartupArgs),
    /// Measure how long writes stall after the leading apiserver is killed
    #[command(after_help = "Example:\n  ctl bench failover --rounds 20")]
    Failover(BenchFailoverArgs),
    /// Measure a large Deployment: creation, a rollout, and a rollout whose leading controller-manager is killed
    #[command(after_help = "Example:\n  ctl bench rollout --pods 1000 --nodes 20")]
    Rollout(BenchRolloutArgs),
}

#[derive(Debug, Args)]
pub struct BenchStoreArgs {
    /// Operation that the clients perform
    #[arg(long, value_enum, default_value_t = Workload::Put)]
    pub workload: Workload,
    /// Number of clients; several numbers are measured one after the other
    #[arg(long, value_delimiter = ',', default_value = "1,64")]
    pub clients: Vec<usize>,
    /// Length of the measurement
    #[arg(long, default_value = "10s", value_name = "DURATION", value_parser = squall_api::duration::parse)]
    pub duration: Duration,
    /// Warm-up time before the measurement
    #[arg(long, default_value = "2s", value_name = "DURATION", value_parser = squall_api::duration::parse)]
    pub warm_up: Duration,
    /// Apiservers that the clients connect to
    #[arg(long, value_enum, default_value_t = Target::Leader)]
    pub target: Target,
    /// Number of connections that the clients share
    #[arg(long, default_value_t = 8)]
    pub connections: usize,
    /// Size of each value in bytes
    #[arg(long, default_value_t = 1024, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..1_000_000))]
    pub value_bytes: usize,
    /// Number of objects
    #[arg(long, default_value_t = 1000, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    pub keys: usize,
    /// Number of apiservers
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=9))]
    pub apiservers: u8,
    /// Output format
    #[arg(short, long, value_enum)]
    pub output: Option<StatusOutput>,
}

#[derive(Debug, Args)]
pub struct BenchSizeArgs {
    /// Number of objects
    #[arg(long, default_value_t = 150_000, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    pub objects: usize,
    /// Size of each value in bytes
    #[arg(long, default_value_t = 2048, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..1_000_000))]
    pub value_bytes: usize,
    /// Output format
    #[arg(short, long, value_enum)]
    pub output: Option<StatusOutput>,
}

#[derive(Debug, Args)]
pub struct BenchFailoverArgs {
    /// Number of times that the leader is killed
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..))]
    pub rounds: u16,
    /// Output format
    #[arg(short, long, value_enum)]
    pub output: Option<StatusOutput>,
}

#[derive(Debug, Args)]
pub struct BenchStartupArgs {
    /// Number of clusters, started one after the other
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    pub runs: u16,
    /// How long to measure the last cluster while idle
    #[arg(long, default_value = "20s", value_name = "DURATION", value_parser = squall_api::duration::parse)]
    pub idle: Duration,
    #[command(flatten)]
    pub lab: LabArgs,
}

#[derive(Debug, Args)]
pub struct BenchRolloutArgs {
    /// Number of pods
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(i32).range(4..=10_000))]
    pub pods: i32,
    /// Number of nodes; each takes 110 pods
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u8).range(1..=120))]
    pub nodes: u8,
    /// Timing: Kubernetes' constants, or all of them divided by ten
    #[arg(long, value_enum, default_value = "fast")]
    pub timing: TimingProfile,
    /// Output format
    #[arg(short, long, value_enum)]
    pub output: Option<StatusOutput>,
}
