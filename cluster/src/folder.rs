//! The folder of a cluster: its description, its files, and the names of its members. It knows no process.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use squall_client::{ClusterEntry, Kubeconfig};
use squall_flags::Founder;

use crate::addresses::Network;
use crate::description::{DESCRIPTION, Description};
use crate::guard::check_ours;
use crate::lock::FolderLock;
use crate::member::{MemberName, Role};
use crate::options::Options;

/// A folder with a cluster in it.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    pub description: Description,
}

impl Folder {
    /// Describes a cluster in a folder, without writing anything.
    pub fn new(path: PathBuf, description: Description) -> Self {
        Self { path, description }
    }

    /// Whether there is a cluster in a folder.
    pub fn exists(path: &Path) -> bool {
        path.join(DESCRIPTION).is_file()
    }

    /// Opens the folder of a cluster.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        ensure!(Self::exists(path), "there is no cluster in {}; start one with \"ctl cluster up\"", path.display());
        let path = path.canonicalize().with_context(|| format!("finding {}", path.display()))?;
        check_ours(&path)?;
        let description = Description::read(&path)?;
        Ok(Self { path, description })
    }

    /// Takes the lock, so that no other launcher starts or ends members, and reads the description again. Fails if the
    /// cluster was removed meanwhile.
    pub fn lock(&mut self) -> anyhow::Result<FolderLock> {
        let lock = FolderLock::take(&self.path);
        ensure!(Self::exists(&self.path), "the cluster in {} was removed meanwhile", self.path.display());
        self.description = Description::read(&self.path)?;
        lock
    }

    /// Records that the group has been running. The caller holds the lock.
    pub fn set_founded(&mut self) -> anyhow::Result<()> {
        self.description.founded = true;
        self.description.write(&self.path)
    }

    /// Changes the list of apiservers, here and in the folder. The caller holds the lock.
    pub fn set_apiservers(&mut self, change: impl FnOnce(&mut Vec<usize>)) -> anyhow::Result<()> {
        self.description.set_apiservers(change);
        self.description.write(&self.path)
    }

    /// Returns the folder, as a canonical path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the current options of the cluster.
    pub fn options(&self) -> &Options {
        &self.description.options
    }

    /// Returns the path of the admin's kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        self.path.join("kubeconfig")
    }

    /// Returns the network of the cluster's addresses.
    pub fn network(&self) -> Network {
        self.description.network
    }

    /// Reads the admin's entry from the kubeconfig.
    pub fn admin(&self) -> anyhow::Result<ClusterEntry> {
        Ok(Kubeconfig::read(&self.kubeconfig())?.current()?)
    }

    /// Returns the members, in the order in which they are started.
    pub fn members(&self) -> Vec<MemberName> {
        let options = self.options();
        let indices = |role| match role {
            Role::Links => (0..usize::from(options.links)).collect(),
            Role::Apiserver => self.description.apiservers.clone(),
            Role::ControllerManager => (0..options.controller_managers).collect(),
            Role::Runtime | Role::Kubelet => (0..options.nodes).collect(),
        };
        let of_role = |role| indices(role).into_iter().map(move |index| MemberName { role, index });
        Role::ALL.into_iter().flat_map(of_role).collect()
    }

    /// Returns the members that a word names: a member's name, or `node-0` for a kubelet and its runtime.
    pub fn named(&self, word: &str) -> anyhow::Result<Vec<MemberName>> {
        let names = match word.strip_prefix("node-").and_then(|index| index.parse().ok()) {
            Some(index) => vec![MemberName { role: Role::Runtime, index }, MemberName { role: Role::Kubelet, index }],
            None => vec![word.parse().map_err(anyhow::Error::msg)?],
        };
        let members = self.members();
        match names.iter().find(|name| !members.contains(name)) {
            Some(name) => bail!("this cluster has no member {name}"),
            None => Ok(names),
        }
    }

    /// Returns the URLs of the current apiservers.
    pub fn apiserver_urls(&self) -> Vec<String> {
        self.description.apiservers.iter().map(|index| self.apiserver_url(*index)).collect()
    }

    /// Returns the URL of the apiserver with this number.
    pub fn apiserver_url(&self, index: usize) -> String {
        format!("https://{}", self.description.network.apiserver(index))
    }

    /// Returns the founders of the group.
    pub fn founders(&self) -> Vec<Founder> {
        let founder = |index| Founder { id: raft_id(index), url: self.apiserver_url(index) };
        (0..self.description.founders).map(founder).collect()
    }

    /// Returns the path of a member's log.
    pub fn log(&self, member: MemberName) -> PathBuf {
        self.path.join(format!("logs/{member}.log"))
    }

    /// Returns the path of the record of a member's process.
    pub fn record(&self, member: MemberName) -> PathBuf {
        self.path.join(format!("members/{member}.json"))
    }

    /// Returns the data folder of an apiserver.
    pub fn data(&self, member: MemberName) -> PathBuf {
        self.path.join(data(member))
    }

    /// Returns the folder with the certificates.
    pub fn pki(&self) -> PathBuf {
        self.path.join("pki")
    }

    /// Returns the paths of the apiservers' write logs; empty if they have none.
    pub fn write_logs(&self) -> Vec<PathBuf> {
        let apiservers = self.members().into_iter().filter(|member| member.role == Role::Apiserver);
        let logs = apiservers.map(|member| self.path.join(write_log(member)));
        if self.options().write_log { logs.collect() } else { Vec::new() }
    }
}

/// Returns the Raft ID of the apiserver with this number; IDs start at 1.
pub fn raft_id(index: usize) -> u64 {
    index as u64 + 1
}

/// Returns the data folder of an apiserver, relative to the cluster's folder.
pub fn data(member: MemberName) -> String {
    format!("data/{member}")
}

/// Returns a member's socket for faults, relative to the cluster's folder.
pub fn faults_socket(member: MemberName) -> String {
    format!("run/{member}.faults")
}

/// Returns the write log of an apiserver, relative to the cluster's folder.
pub fn write_log(member: MemberName) -> String {
    format!("logs/{member}.writes")
}

/// Returns the socket of a node's runtime, relative to the cluster's folder.
pub fn runtime_socket(node: usize) -> String {
    format!("run/node-{node}.sock")
}
