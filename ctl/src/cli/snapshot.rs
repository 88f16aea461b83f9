//! The flags of `ctl snapshot`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::cluster::ShapeArgs;
use super::lab::StatusOutput;

#[derive(Debug, Subcommand)]
pub enum SnapshotCommand {
    /// Save all data of the apiservers to a file
    #[command(after_help = "Example:\n  ctl snapshot save before.snapshot")]
    Save(SaveArgs),
    /// Check a snapshot and summarize its content
    #[command(after_help = "Example:\n  ctl snapshot status before.snapshot -o json")]
    Status(SummaryArgs),
    /// Create a new cluster from a snapshot
    #[command(
        after_help = "First stop the cluster that the snapshot was taken from: the restored services and pods have the \
                      same addresses.\n\nExample:\n  \
                      ctl snapshot restore before.snapshot --dir again && ctl cluster up --dir again"
    )]
    Restore(RestoreArgs),
}

#[derive(Debug, Args)]
pub struct SaveArgs {
    /// File to write; an existing file is replaced only when the new one is complete
    pub file: PathBuf,
}

#[derive(Debug, Args)]
pub struct SummaryArgs {
    /// Snapshot file
    pub file: PathBuf,
    /// Output format
    #[arg(short, long, value_enum)]
    pub output: Option<StatusOutput>,
}

#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// Snapshot file
    pub file: PathBuf,
    #[command(flatten)]
    pub shape: ShapeArgs,
    /// Folder of the new cluster
    #[arg(long, default_value = ".squall", value_name = "DIR")]
    pub dir: PathBuf,
}
