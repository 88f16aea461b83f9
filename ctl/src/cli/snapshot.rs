//! The flags of `ctl snapshot`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::cluster::{DirArgs, ShapeArgs};
use super::lab::StatusOutput;

#[derive(Debug, Subcommand)]
pub enum SnapshotCommand {
    /// Save everything that the apiservers have stored into a file
    #[command(after_help = "Example:\n  ctl snapshot save before.snapshot")]
    Save(SaveArgs),
    /// Check a snapshot, and say what it holds
    #[command(after_help = "Example:\n  ctl snapshot status before.snapshot -o json")]
    Status(SummaryArgs),
    /// Make a new cluster that begins with a snapshot
    #[command(
        after_help = "The cluster that the snapshot was taken from must have ended: services and pods in it have their addresses.\n\nExample:\n  ctl snapshot restore before.snapshot --dir again && ctl cluster up --dir again"
    )]
    Restore(RestoreArgs),
}

#[derive(Debug, Args)]
pub struct SaveArgs {
    /// Where to; an existing file is replaced when the new one is whole
    pub file: PathBuf,
}

#[derive(Debug, Args)]
pub struct SummaryArgs {
    /// The snapshot
    pub file: PathBuf,
    /// json for scripts
    #[arg(short, long, value_enum)]
    pub output: Option<StatusOutput>,
}

#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// The snapshot
    pub file: PathBuf,
    #[command(flatten)]
    pub shape: ShapeArgs,
    #[command(flatten)]
    pub dir: DirArgs,
}
