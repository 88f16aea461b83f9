//! The flags of `ctl rollout`.

use std::time::Duration;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub enum RolloutCommand {
    /// Wait for a rollout to finish
    Status(RolloutStatusArgs),
    /// Go back to an earlier revision
    Undo(RolloutUndoArgs),
}

#[derive(Debug, Args)]
pub struct RolloutStatusArgs {
    /// deployment NAME or deployment/NAME
    #[arg(required = true)]
    pub what: Vec<String>,
    /// Wait, or say once how it is
    #[arg(short, long, default_value_t = true, num_args = 0..=1, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub watch: bool,
    /// Give up after this time
    #[arg(long, value_parser = squall_api::duration::parse)]
    pub timeout: Option<Duration>,
}

#[derive(Debug, Args)]
pub struct RolloutUndoArgs {
    /// deployment NAME or deployment/NAME
    #[arg(required = true)]
    pub what: Vec<String>,
    /// The revision; 0 is the one before
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    pub to_revision: i64,
}
