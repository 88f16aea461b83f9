//! The subcommands that read a snapshot file: `summary` and `restore`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;

use crate::folder::{DataFolder, Origin};
use crate::host::LocalDisk;
use crate::raft::{self, Summary};
use crate::server::parse_founder;

/// Arguments of `summary`.
#[derive(Debug, Args)]
pub struct SummaryArgs {
    /// Snapshot file to read
    file: PathBuf,
}

/// Arguments of `restore`.
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// Snapshot file to restore
    file: PathBuf,

    /// Raft ID of the member
    #[arg(long)]
    id: u64,

    /// Data directory of the member; must not hold data yet
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,

    /// Member of the new group, such as 1=https://127.0.0.1:6443; repeat for each member
    #[arg(long, value_name = "ID=URL", value_parser = parse_founder, required = true)]
    founder: Vec<(u64, String)>,
}

/// Summarizes a snapshot.
pub fn summary(args: &SummaryArgs) -> anyhow::Result<Summary> {
    raft::summary(&args.file)
}

/// Writes a member's first data from a snapshot and summarizes it.
pub fn restore(args: &RestoreArgs) -> anyhow::Result<Summary> {
    let folder = DataFolder::open(Arc::new(LocalDisk), &args.data_dir, args.id, Origin::New)?;
    raft::restore(&args.file, &folder, &args.founder.iter().cloned().collect())
}

/// Prints the result as JSON on standard output, or the error on standard error.
pub fn report(result: anyhow::Result<Summary>) -> ExitCode {
    let written = result.and_then(|summary| {
        let mut out = std::io::stdout();
        serde_json::to_writer(&mut out, &summary)?;
        Ok(writeln!(out)?)
    });
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing can be done if standard error cannot be written.
            drop(writeln!(std::io::stderr(), "{error:#}"));
            ExitCode::FAILURE
        }
    }
}
