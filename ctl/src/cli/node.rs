//! The flags of `ctl cordon`, `uncordon`, `drain` and `taint`.

use std::time::Duration;

use clap::Args;

use super::DryRun;

#[derive(Debug, Args)]
pub struct CordonArgs {
    /// Names of nodes
    pub nodes: Vec<String>,
    /// Only nodes with these labels
    #[arg(short = 'l', long)]
    pub selector: Option<String>,
    /// Dry run: check the change without making it
    #[arg(long, value_enum, default_value_t = DryRun::None, num_args = 0..=1, default_missing_value = "client", require_equals = true)]
    pub dry_run: DryRun,
}

#[derive(Debug, Args)]
pub struct DrainArgs {
    #[command(flatten)]
    pub nodes: CordonArgs,
    /// Evict pods even if no controller will replace them
    #[arg(long)]
    pub force: bool,
    /// Accepted for compatibility: there are no daemon sets
    #[arg(long)]
    pub ignore_daemonsets: bool,
    /// Evict pods even if their emptyDir data is lost
    #[arg(long)]
    pub delete_emptydir_data: bool,
    /// Delete pods without checking disruption budgets
    #[arg(long)]
    pub disable_eviction: bool,
    /// Evict only pods with these labels
    #[arg(long)]
    pub pod_selector: Option<String>,
    /// Seconds that a pod has to terminate; -1: the pod's own grace period
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
    /// Overwrite an existing taint
    #[arg(long)]
    pub overwrite: bool,
    /// Dry run: check the change without making it
    #[arg(long, value_enum, default_value_t = DryRun::None, num_args = 0..=1, default_missing_value = "client", require_equals = true)]
    pub dry_run: DryRun,
}
