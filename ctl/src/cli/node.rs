//! The flags of what takes nodes out of use and back.

use std::time::Duration;

use clap::Args;

use super::DryRun;

#[derive(Debug, Args)]
pub struct CordonArgs {
    /// Nodes
    pub nodes: Vec<String>,
    /// Only nodes with these labels
    #[arg(short = 'l', long)]
    pub selector: Option<String>,
    /// How far to go
    #[arg(long, value_enum, default_value_t = DryRun::None, num_args = 0..=1, default_missing_value = "client", require_equals = true)]
    pub dry_run: DryRun,
}

#[derive(Debug, Args)]
pub struct DrainArgs {
    #[command(flatten)]
    pub nodes: CordonArgs,
    /// Take away pods that no controller will replace
    #[arg(long)]
    pub force: bool,
    /// Leave pods of daemon sets where they are
    #[arg(long)]
    pub ignore_daemonsets: bool,
    /// Take away pods whose data goes with them
    #[arg(long)]
    pub delete_emptydir_data: bool,
    /// Delete, and do not ask disruption budgets
    #[arg(long)]
    pub disable_eviction: bool,
    /// Only pods with these labels
    #[arg(long)]
    pub pod_selector: Option<String>,
    /// Seconds a pod has to end; -1: its own
    #[arg(long, default_value_t = -1, allow_negative_numbers = true)]
    pub grace_period: i64,
    /// Give up after this time; 0: never
    #[arg(long, default_value = "0s", value_parser = squall_api::duration::parse)]
    pub timeout: Duration,
}

#[derive(Debug, Args)]
pub struct TaintArgs {
    /// node NAME KEY=VALUE:EFFECT... KEY[:EFFECT]-...
    #[arg(required = true)]
    pub words: Vec<String>,
    /// Only nodes with these labels
    #[arg(short = 'l', long)]
    pub selector: Option<String>,
    /// All nodes
    #[arg(long)]
    pub all: bool,
    /// Replace a taint that is there
    #[arg(long)]
    pub overwrite: bool,
    /// How far to go
    #[arg(long, value_enum, default_value_t = DryRun::None, num_args = 0..=1, default_missing_value = "client", require_equals = true)]
    pub dry_run: DryRun,
}
