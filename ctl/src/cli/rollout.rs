//! The flags of `ctl rollout`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::{ChangeArgs, DryRun};

#[derive(Debug, Subcommand)]
pub enum RolloutCommand {
    /// Wait for a rollout to finish
    #[command(
        after_help = "In a terminal it shows each ReplicaSet as it changes; in a pipe, a line for each change.\n\nExamples:\n  ctl rollout status deployment kubia\n  ctl rollout status deployment kubia --timeout=2m --undo-on-failure"
    )]
    Status(RolloutStatusArgs),
    /// Show the revisions
    #[command(
        after_help = "Examples:\n  ctl rollout history deployment kubia\n  ctl rollout history deployment kubia -o wide\n  ctl rollout history deployment kubia --diff 2..3"
    )]
    History(RolloutHistoryArgs),
    /// Go back to an earlier revision
    #[command(
        after_help = "Examples:\n  ctl rollout undo deployment kubia\n  ctl rollout undo deployment kubia --to-revision=1 --dry-run=client"
    )]
    Undo(RolloutUndoArgs),
    /// Pause a rollout
    Pause(RolloutChangeArgs),
    /// Resume a paused rollout
    Resume(RolloutChangeArgs),
    /// Replace all pods without changing their template
    Restart(RolloutChangeArgs),
}

#[derive(Debug, Args)]
pub struct RolloutTargets {
    /// deployment NAME or deployment/NAME
    pub what: Vec<String>,
    /// Objects defined in these files
    #[arg(short, long, value_name = "FILE")]
    pub filename: Vec<PathBuf>,
    /// Only objects with these labels
    #[arg(short = 'l', long)]
    pub selector: Option<String>,
}

#[derive(Debug, Args)]
pub struct RolloutStatusArgs {
    #[command(flatten)]
    pub targets: RolloutTargets,
    /// Wait for the rollout to finish; false: show its status once
    #[arg(short, long, default_value_t = true, num_args = 0..=1, default_missing_value = "true", require_equals = true, action = clap::ArgAction::Set)]
    pub watch: bool,
    /// Follow only this revision: fail if another one is rolled out
    #[arg(long, default_value_t = 0)]
    pub revision: i64,
    /// Give up after this time; 0: never
    #[arg(long, value_parser = squall_api::duration::parse)]
    pub timeout: Option<Duration>,
    /// Roll back to the previous revision if the rollout fails or times out
    #[arg(long)]
    pub undo_on_failure: bool,
    /// Output format: json, one event per line
    #[arg(short, long)]
    pub output: Option<String>,
}

#[derive(Debug, Args)]
pub struct RolloutHistoryArgs {
    #[command(flatten)]
    pub targets: RolloutTargets,
    /// Show the template of this revision
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    pub revision: i64,
    /// Show the changes between two revisions (like 2..3)
    #[arg(long, value_name = "A..B", conflicts_with = "revision")]
    pub diff: Option<String>,
    /// Output format: wide, json or yaml
    #[arg(short, long)]
    pub output: Option<String>,
}

#[derive(Debug, Args)]
pub struct RolloutUndoArgs {
    #[command(flatten)]
    pub targets: RolloutTargets,
    /// Revision to go back to; 0: the previous one
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    pub to_revision: i64,
    /// Dry run: check the change without making it; client shows what would change
    #[arg(long, value_enum, default_value_t = DryRun::None, num_args = 0..=1, default_missing_value = "client", require_equals = true)]
    pub dry_run: DryRun,
}

#[derive(Debug, Args)]
pub struct RolloutChangeArgs {
    #[command(flatten)]
    pub targets: RolloutTargets,
    #[command(flatten)]
    pub change: ChangeArgs,
}
