//! Snapshot files: their summaries, and clusters that start from one. The apiserver program reads and writes them.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::addresses::Network;
use crate::cluster::{Cluster, Lifetime, prepare};
use crate::member::Role;
use crate::options::Options;
use crate::starting::binaries;

/// A summary of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotSummary {
    /// The store's revision when it was taken.
    pub revision: u64,
    /// The checksum of the state, as members report it.
    pub state_hash: u64,
    /// Number of objects, including internal ones such as the claims on service addresses.
    pub objects: u64,
    /// The URLs of the apiservers of the cluster that it was taken from, by number.
    pub members: BTreeMap<u64, String>,
}

/// Reads a snapshot completely. Any damage is an error that names the file and the position.
pub fn snapshot_summary(file: &Path) -> anyhow::Result<SnapshotSummary> {
    ensure!(file.is_file(), "the path {:?} does not exist", file.display().to_string());
    ask(Command::new(binaries()?.join("apiserver")).arg("summary").arg(file))
}

fn ask(command: &mut Command) -> anyhow::Result<SnapshotSummary> {
    let output = command.output().with_context(|| format!("starting {:?}", command.get_program()))?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim_end());
    serde_json::from_slice(&output.stdout).context("parsing the apiserver's output")
}

impl Cluster {
    /// Creates a cluster from a snapshot, without starting it. It uses the network of the cluster that the snapshot was
    /// taken from, because the services and pods in the snapshot have addresses there.
    pub fn restore(folder: &Path, options: Options, file: &Path) -> anyhow::Result<(Self, SnapshotSummary)> {
        let summary = snapshot_summary(file)?;
        let (folder, _lock) = prepare(folder, &options)?;
        if Self::exists(&folder) {
            bail!("there is already a cluster in {}; choose another folder with --dir", folder.display());
        }
        let network = match summary.members.values().find_map(|url| Network::of_apiserver(url)) {
            Some(network) => network.claim().context(
                "services and pods in the snapshot have addresses in the network of the cluster it was taken from; \
                 stop that cluster first",
            )?,
            None => Network::unused()?,
        };
        let mut cluster = Self::make(folder, options, Lifetime::Detached, network, |cluster| cluster.begin_with(file))?;
        cluster.set_founded()?;
        Ok((cluster, summary))
    }

    fn begin_with(&self, file: &Path) -> anyhow::Result<()> {
        for member in self.members().into_iter().filter(|member| member.role == Role::Apiserver) {
            let mut command = Command::new(self.binaries.join("apiserver"));
            command.arg("restore").arg(file).args(["--id", &self.raft_id(member).to_string()]);
            command.arg("--data-dir").arg(self.data(member)).args(self.founders());
            ask(&mut command).with_context(|| format!("restoring the data of {member}"))?;
        }
        Ok(())
    }
}
