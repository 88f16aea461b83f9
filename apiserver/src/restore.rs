//! What the apiserver's program does with snapshots that are not its own.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;

use crate::folder::{DataFolder, Origin};
use crate::host::LocalDisk;
use crate::raft::{self, Summary};
use crate::server::parse_founder;

/// The flags of `summary`.
#[derive(Debug, Args)]
pub struct SummaryArgs {
    /// The snapshot
    file: PathBuf,
}

/// The flags of `restore`.
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// The snapshot
    file: PathBuf,

    /// The number of the member in its Raft group
    #[arg(long)]
    id: u64,

    /// Where the member is to keep its data; it must have none
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,

    /// The members of the new group: 1=https://127.0.0.1:6443, once for each
    #[arg(long, value_name = "ID=URL", value_parser = parse_founder, required = true)]
    founder: Vec<(u64, String)>,
}

/// What a snapshot holds.
pub fn summary(args: &SummaryArgs) -> anyhow::Result<Summary> {
    raft::summary(&args.file)
}

/// Writes a member's first data; what they hold.
pub fn restore(args: &RestoreArgs) -> anyhow::Result<Summary> {
    let folder = DataFolder::open(Arc::new(LocalDisk), &args.data_dir, args.id, Origin::New)?;
    raft::restore(&args.file, &folder, &args.founder.iter().cloned().collect())
}

/// The result as JSON on standard output, or the problem on standard error.
pub fn report(result: anyhow::Result<Summary>) -> ExitCode {
    let written = result.and_then(|summary| {
        let mut out = std::io::stdout();
        serde_json::to_writer(&mut out, &summary)?;
        Ok(writeln!(out)?)
    });
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // There is nowhere else to tell of a failure.
            drop(writeln!(std::io::stderr(), "{error:#}"));
            ExitCode::FAILURE
        }
    }
}
