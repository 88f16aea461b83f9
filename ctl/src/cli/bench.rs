//! The flags of `ctl bench`.

use std::time::Duration;

use clap::{Args, Subcommand};
use squall_bench::store::{Target, Workload};

use super::lab::{LabArgs, StatusOutput, Timing};

#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// How many reads and writes a second the store does, and how long each takes
    #[command(
        after_help = "Examples:\n  ctl bench store --clients 1,16,64,256\n  ctl bench store --workload get --clients 64 --duration 20s -o json"
    )]
    Store(BenchStoreArgs),
    /// What many objects cost: memory, a list, a restart
    #[command(after_help = "Example:\n  ctl bench size --objects 150000 --value-bytes 2048")]
    Size(BenchSizeArgs),
    /// How fast a cluster starts, and what it uses while idle
    #[command(after_help = "Example:\n  ctl bench startup --runs 10 --idle 60s")]
    Startup(BenchStartupArgs),
    /// How long writes wait when the leading apiserver is killed
    #[command(after_help = "Example:\n  ctl bench failover --rounds 20")]
    Failover(BenchFailoverArgs),
    /// A Deployment of many pods: created, rolled to a new image, and rolled while the leading controller-manager dies
    #[command(after_help = "Example:\n  ctl bench rollout --pods 1000 --nodes 20")]
    Rollout(BenchRolloutArgs),
}

#[derive(Debug, Args)]
pub struct BenchStoreArgs {
    /// What the clients ask for
    #[arg(long, value_enum, default_value_t = Workload::Put)]
    pub workload: Workload,
    /// How many clients; several numbers are measured one after the other
    #[arg(long, value_delimiter = ',', default_value = "1,64")]
    pub clients: Vec<usize>,
    /// For how long answers are counted
    #[arg(long, default_value = "10s", value_name = "DURATION", value_parser = squall_api::duration::parse)]
    pub duration: Duration,
    /// How long the clients ask before that
    #[arg(long, default_value = "2s", value_name = "DURATION", value_parser = squall_api::duration::parse)]
    pub warm_up: Duration,
    /// Whom they ask
    #[arg(long, value_enum, default_value_t = Target::Leader)]
    pub target: Target,
    /// How many connections they share
    #[arg(long, default_value_t = 8)]
    pub connections: usize,
    /// How large each value is
    #[arg(long, default_value_t = 1024, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..1_000_000))]
    pub value_bytes: usize,
    /// How many objects there are
    #[arg(long, default_value_t = 1000, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    pub keys: usize,
    /// How many apiservers
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=9))]
    pub apiservers: u8,
    /// json for scripts
    #[arg(short, long, value_enum)]
    pub output: Option<StatusOutput>,
}

#[derive(Debug, Args)]
pub struct BenchSizeArgs {
    /// How many objects
    #[arg(long, default_value_t = 150_000, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    pub objects: usize,
    /// How large each value is
    #[arg(long, default_value_t = 2048, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..1_000_000))]
    pub value_bytes: usize,
    /// json for scripts
    #[arg(short, long, value_enum)]
    pub output: Option<StatusOutput>,
}

#[derive(Debug, Args)]
pub struct BenchFailoverArgs {
    /// How often the leader is killed
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..))]
    pub rounds: u16,
    /// json for scripts
    #[arg(short, long, value_enum)]
    pub output: Option<StatusOutput>,
}

#[derive(Debug, Args)]
pub struct BenchStartupArgs {
    /// How many clusters, one after the other
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    pub runs: u16,
    /// How long the last one is watched
    #[arg(long, default_value = "20s", value_name = "DURATION", value_parser = squall_api::duration::parse)]
    pub idle: Duration,
    #[command(flatten)]
    pub lab: LabArgs,
}

#[derive(Debug, Args)]
pub struct BenchRolloutArgs {
    /// How many pods
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(i32).range(4..=10_000))]
    pub pods: i32,
    /// On how many nodes; each takes 110 pods
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u8).range(1..=120))]
    pub nodes: u8,
    /// Which constants to use
    #[arg(long, value_enum, default_value = "fast")]
    pub timing: Timing,
    /// json for scripts
    #[arg(short, long, value_enum)]
    pub output: Option<StatusOutput>,
}
