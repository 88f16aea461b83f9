//! `ctl snapshot`: saves all stored data to a file, checks it and restores it.

use std::path::{Path, PathBuf};

use serde_json::json;
use squall_cluster::{Cluster, SnapshotSummary, snapshot_summary};
use tokio::fs::{self, File};

use super::cluster::options_of_shape;
use crate::cli::{Global, RestoreArgs, SaveArgs, SnapshotCommand, SummaryArgs};
use crate::context::Context;
use crate::failure::Failure;
use crate::interruption::Interruption;
use crate::output::{line, print_cells};

/// Runs a command.
pub async fn run(global: &Global, command: SnapshotCommand) -> Result<(), Failure> {
    match command {
        SnapshotCommand::Save(args) => save(&Context::find(global)?, &args).await,
        SnapshotCommand::Status(args) => status(&args),
        SnapshotCommand::Restore(args) => restore(&args),
    }
}

/// Writes the snapshot to a temporary file, checks it, and only then renames it.
async fn save(context: &Context, args: &SaveArgs) -> Result<(), Failure> {
    let mut interruption = Interruption::listen()?;
    let aside = aside(&args.file);
    let saved = tokio::select! {
        saved = write(context, &aside) => saved,
        signal = interruption.wait() => Err(Failure::error(format!("interrupted by {signal}"))),
    };
    let summary = match saved {
        Ok(summary) => summary,
        Err(failure) => {
            // The file may not exist.
            drop(fs::remove_file(&aside).await);
            return Err(failure);
        }
    };
    fs::rename(&aside, &args.file).await.map_err(|error| unwritable(&args.file, &error))?;
    let folder = args.file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let synced = async { File::open(folder).await?.sync_all().await };
    synced.await.map_err(|error| unwritable(folder, &error))?;
    line(&format!("saved {} objects at revision {} in {}", summary.objects, summary.revision, args.file.display()));
    Ok(())
}

/// Only the owner may read and write.
const OWNER_ONLY: u32 = 0o600;

async fn write(context: &Context, path: &Path) -> Result<SnapshotSummary, Failure> {
    // It has secrets in it, and follows nobody's link.
    let mut options = File::options();
    let opened = options.write(true).create_new(true).mode(OWNER_ONLY).open(path).await;
    let mut file = opened.map_err(|error| unwritable(path, &error))?;
    context.client.snapshot(&mut file).await?;
    file.sync_all().await.map_err(|error| unwritable(path, &error))?;
    Ok(snapshot_summary(path)?)
}

fn aside(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    name.into()
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::error(format!("{}: {error}", path.display()))
}

fn status(args: &SummaryArgs) -> Result<(), Failure> {
    let summary = snapshot_summary(&args.file)?;
    let bytes = std::fs::metadata(&args.file).map_err(|error| unwritable(&args.file, &error))?.len();
    let hash = format!("{:016x}", summary.state_hash);
    if args.output.is_some() {
        let value = json!({
            "bytes": bytes,
            "members": summary.members,
            "objects": summary.objects,
            "revision": summary.revision,
            "stateHash": hash,
        });
        line(&serde_json::to_string_pretty(&value).map_err(Failure::error)?);
        return Ok(());
    }
    let head = ["HASH", "REVISION", "OBJECTS", "BYTES"].map(str::to_owned).to_vec();
    let row = vec![hash, summary.revision.to_string(), summary.objects.to_string(), bytes.to_string()];
    print_cells(&[head, row], 3);
    Ok(())
}

fn restore(args: &RestoreArgs) -> Result<(), Failure> {
    let (_, summary) = Cluster::restore(&args.dir, options_of_shape(&args.shape)?, &args.file)?;
    let folder = args.dir.display();
    line(&format!("created a cluster in {folder} with {} objects at revision {}", summary.objects, summary.revision));
    line(&format!("start it with \"ctl cluster up --dir {folder}\""));
    Ok(())
}
