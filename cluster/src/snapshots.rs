//! Snapshot files: their summaries, and clusters that start from one. The apiserver program reads and writes them.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail, ensure};
use squall_flags::{RestoreFlags, SnapshotSummary};

use crate::addresses::Network;
use crate::cluster::Cluster;
use crate::creation::{create, prepare};
use crate::folder::{Folder, raft_id};
use crate::lifetime::Lifetime;
use crate::member::Role;
use crate::options::Options;
use crate::programs::programs;
use crate::reservation::Reservation;

/// Reads a snapshot completely. Any damage is an error that names the file and the position.
pub fn snapshot_summary(file: &Path) -> anyhow::Result<SnapshotSummary> {
    ensure!(file.is_file(), "the path {:?} does not exist", file.display().to_string());
    ask(Command::new(programs()?.join("apiserver")).arg("summary").arg(file))
}

fn ask(command: &mut Command) -> anyhow::Result<SnapshotSummary> {
    let output = command.output().with_context(|| format!("starting {:?}", command.get_program()))?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim_end());
    serde_json::from_slice(&output.stdout).context("parsing the apiserver's output")
}

impl Cluster {
    /// Creates a cluster from a snapshot, without starting it. It uses the network of the cluster that the snapshot was
    /// taken from, because the services and pods in the snapshot have addresses there.
    pub fn restore(path: &Path, options: Options, file: &Path) -> anyhow::Result<(Self, SnapshotSummary)> {
        let summary = snapshot_summary(file)?;
        let (path, _lock) = prepare(path, &options)?;
        if Self::exists(&path) {
            bail!("there is already a cluster in {}; choose another folder with --dir", path.display());
        }
        let reservation = match summary.members.values().find_map(|url| Network::of_apiserver(url)) {
            Some(network) => Reservation::of(network).context(
                "services and pods in the snapshot have addresses in the network of the cluster it was taken from; \
                 stop that cluster first",
            )?,
            None => Reservation::of_unused()?,
        };
        let mut folder = create(path, options, &reservation, |folder| begin_with(folder, file))?;
        folder.set_founded()?;
        Ok((Self::of(folder, Lifetime::Detached, Some(reservation))?, summary))
    }
}

fn begin_with(folder: &Folder, file: &Path) -> anyhow::Result<()> {
    for member in folder.members().into_iter().filter(|member| member.role == Role::Apiserver) {
        let flags = RestoreFlags {
            file: file.to_owned(),
            id: raft_id(member.index),
            data_dir: folder.data(member),
            founder: folder.founders(),
        };
        let mut command = Command::new(programs()?.join("apiserver"));
        ask(command.arg("restore").args(flags.to_args())).with_context(|| format!("restoring the data of {member}"))?;
    }
    Ok(())
}
