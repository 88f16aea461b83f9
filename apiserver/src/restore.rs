//! The subcommands for files: `summary` and `restore` read a snapshot, and `tear` damages a log.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use squall_flags::{RestoreFlags, SnapshotSummary};

use crate::folder::{DataFolder, Origin};
use crate::host::LocalDisk;
use crate::raft;

/// Arguments of `summary`.
#[derive(Debug, Args)]
pub struct SummaryArgs {
    /// Snapshot file to read
    file: PathBuf,
}

/// Summarizes a snapshot.
pub fn summary(args: &SummaryArgs) -> anyhow::Result<SnapshotSummary> {
    raft::summary(&args.file)
}

/// Writes a member's first data from a snapshot and summarizes it.
pub fn restore(flags: &RestoreFlags) -> anyhow::Result<SnapshotSummary> {
    let folder = DataFolder::open(Arc::new(LocalDisk), &flags.data_dir, flags.id, Origin::New)?;
    let founders = flags.founder.iter().map(|founder| (founder.id, founder.url.clone())).collect();
    raft::restore(&flags.file, &folder, &founders)
}

/// Arguments of `tear`.
#[derive(Debug, Args)]
pub struct TearArgs {
    /// Data directory of a member that is not running
    data_dir: PathBuf,
}

/// Tears the log of a member, as a power cut in the middle of a write does.
pub fn tear(args: &TearArgs) -> anyhow::Result<()> {
    Ok(raft::tear(&LocalDisk, &DataFolder::log_of(&args.data_dir))?)
}

/// Prints the result as JSON on standard output, or the error on standard error.
pub fn report(result: anyhow::Result<SnapshotSummary>) -> ExitCode {
    ended(result.and_then(|summary| {
        let mut out = std::io::stdout();
        serde_json::to_writer(&mut out, &summary)?;
        Ok(writeln!(out)?)
    }))
}

/// Prints an error on standard error.
pub fn ended(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing can be done if standard error cannot be written.
            drop(writeln!(std::io::stderr(), "{error:#}"));
            ExitCode::FAILURE
        }
    }
}
