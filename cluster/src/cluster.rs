//! A cluster in a folder: its description, its files, and access to its members.

use std::fs::File;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use serde::{Deserialize, Serialize};
use squall_client::{Client, ClusterEntry, Kubeconfig};

use crate::addresses::{MAX_APISERVERS, MAX_NODES, Network};
use crate::files::{make_folder, read_json, write_json, write_private};
use crate::found::{is_in, working_in};
use crate::lock::{FolderLock, LOCK};
use crate::member::{MemberName, Role};
use crate::options::Options;
use crate::process::{ProcessId, ProcessState};
use crate::starting::{OwnChild, binaries};
use crate::usage::Usage;

const FORMAT_VERSION: u32 = 2;
/// One leads and the others stand by, so more are of no use.
const MAX_CONTROLLER_MANAGERS: usize = 9;
/// The folders that a cluster creates in its own.
const PARTS: [&str; 5] = ["pki", "data", "logs", "run", "members"];
/// The files that a cluster creates in its folder.
const FILES: [&str; 3] = [DESCRIPTION, "kubeconfig", UNFINISHED];
/// The file that exists while a cluster is being created.
const UNFINISHED: &str = "unfinished";
/// The file with the description of the cluster.
const DESCRIPTION: &str = "cluster.json";

/// Whether members outlive the process that starts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// They end with it, however it ends.
    Attached,
    /// They keep running.
    Detached,
}

/// The description of a cluster, stored in its folder.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Description {
    format_version: u32,
    pub(super) network: Network,
    /// The current options.
    options: Options,
    /// Number of apiservers that founded the group; they are numbered from 0.
    pub(super) founders: usize,
    /// Whether the group has been running. Until then, founders may create it. After that, none may
    /// return without its data.
    pub(super) founded: bool,
    /// The numbers of the current apiservers. Numbers are never reused.
    pub(super) apiservers: Vec<usize>,
    /// The number of the next apiserver.
    pub(super) next_apiserver: usize,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    format_version: u32,
}

impl Description {
    fn new(network: Network, options: Options) -> Self {
        let founders = options.apiservers;
        let apiservers = (0..founders).collect();
        Self {
            format_version: FORMAT_VERSION,
            network,
            options,
            founders,
            founded: false,
            apiservers,
            next_apiserver: founders,
        }
    }
}

/// A member's process, as recorded in the folder.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Started {
    pub(super) process: ProcessId,
}

impl Options {
    fn check(&self) -> anyhow::Result<()> {
        let within = |count: usize, range: RangeInclusive<usize>, what: &str| {
            let (least, most) = (range.start(), range.end());
            ensure!(range.contains(&count), "a cluster has {least} to {most} {what}, not {count}");
            Ok(())
        };
        within(self.apiservers, 1..=MAX_APISERVERS, "apiservers")?;
        within(self.controller_managers, 1..=MAX_CONTROLLER_MANAGERS, "controller-managers")?;
        within(self.nodes, 0..=MAX_NODES, "nodes")?;
        if let Some(images) = &self.images {
            ensure!(images.is_file(), "there is no image catalogue at {}", images.display());
            check_images(images)?;
        }
        Ok(())
    }
}

/// A cluster in a folder, with the processes that this launcher has started.
pub struct Cluster {
    pub(super) folder: PathBuf,
    pub(super) binaries: PathBuf,
    pub(super) description: Description,
    pub(super) lifetime: Lifetime,
    /// The processes that this launcher has started. Closing their stdin ends attached ones.
    pub(super) children: Vec<OwnChild>,
    /// Reserves the network of a new cluster.
    _reservation: Option<File>,
}

impl Cluster {
    /// Creates a cluster in a folder without starting it. If another launcher was faster, opens that one's cluster.
    pub fn create(folder: &Path, options: Options, lifetime: Lifetime) -> anyhow::Result<Self> {
        let (folder, _lock) = prepare(folder, &options)?;
        if Self::exists(&folder) {
            return Self::open(&folder, lifetime);
        }
        Self::make(folder, options, lifetime, Network::unused()?, |_| Ok(()))
    }

    /// Creates a cluster in a prepared folder. `fill` can add files before the folder counts as a cluster.
    pub(super) fn make(
        folder: PathBuf,
        options: Options,
        lifetime: Lifetime,
        (network, reservation): (Network, File),
        fill: impl FnOnce(&Self) -> anyhow::Result<()>,
    ) -> anyhow::Result<Self> {
        if folder.join(UNFINISHED).exists() {
            // Its launcher was killed before anything was started.
            remove_files(&folder)?;
        }
        if let Some(taken) = PARTS.iter().chain(&FILES).map(|name| folder.join(name)).find(|path| path.exists()) {
            bail!("{} already exists and belongs to no cluster; use another folder", taken.display());
        }
        let description = Description::new(network, options);
        let (binaries, children) = (binaries()?, Vec::new());
        let cluster = Self { binaries, folder, description, lifetime, children, _reservation: Some(reservation) };
        if let Err(error) = cluster.write_files(fill) {
            // An unfinished folder would be in the way of the next attempt.
            cluster.remove_files()?;
            return Err(error);
        }
        Ok(cluster)
    }

    fn write_files(&self, fill: impl FnOnce(&Self) -> anyhow::Result<()>) -> anyhow::Result<()> {
        // Until the cluster is complete, this file marks the folder as ours and unfinished.
        write_private(&self.folder.join(UNFINISHED), b"")?;
        for part in PARTS {
            make_folder(&self.folder.join(part))?;
        }
        self.issue_certificates()?;
        fill(self)?;
        // Written last: a folder without it is not a cluster.
        self.write_description()?;
        std::fs::remove_file(self.folder.join(UNFINISHED)).context("removing the mark of an unfinished folder")
    }

    fn write_description(&self) -> anyhow::Result<()> {
        write_json(&self.folder.join(DESCRIPTION), &self.description)
    }

    /// Records that the group has been running. The caller holds the lock.
    pub(super) fn set_founded(&mut self) -> anyhow::Result<()> {
        self.description.founded = true;
        self.write_description()
    }

    /// Changes the list of apiservers, here and in the folder. The caller holds the lock.
    pub(super) fn set_apiservers(&mut self, change: impl FnOnce(&mut Vec<usize>)) -> anyhow::Result<()> {
        let description = &mut self.description;
        change(&mut description.apiservers);
        description.options.apiservers = description.apiservers.len();
        let last = description.apiservers.iter().max().map_or(0, |last| last + 1);
        description.next_apiserver = description.next_apiserver.max(last);
        self.write_description()
    }

    fn remove_files(&self) -> anyhow::Result<()> {
        remove_files(&self.folder)
    }

    /// Ends all members and removes the cluster's files. Removes the folder too, unless it holds anything else,
    /// which is the user's. Returns whether the folder is gone.
    pub fn delete(mut self) -> anyhow::Result<bool> {
        let lock = self.lock()?;
        self.end(self.members())?;
        self.end_others()?;
        self.remove_files()?;
        std::fs::remove_file(self.folder.join(LOCK)).context("removing the lock")?;
        drop(lock);
        match std::fs::remove_dir(&self.folder) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::DirectoryNotEmpty => Ok(false),
            Err(error) => Err(error).with_context(|| format!("removing {}", self.folder.display())),
        }
    }

    /// Takes the lock, so that no other launcher starts or ends members, and reads the description again. Fails if the
    /// cluster was removed meanwhile.
    pub(super) fn lock(&mut self) -> anyhow::Result<FolderLock> {
        let lock = FolderLock::take(&self.folder);
        ensure!(Self::exists(&self.folder), "the cluster in {} was removed meanwhile", self.folder.display());
        self.description = read_description(&self.folder)?;
        lock
    }

    /// Opens the cluster in a folder.
    pub fn open(folder: &Path, lifetime: Lifetime) -> anyhow::Result<Self> {
        let path = folder.join(DESCRIPTION);
        ensure!(path.is_file(), "there is no cluster in {}; start one with \"ctl cluster up\"", folder.display());
        let description = read_description(folder)?;
        let folder = folder.canonicalize().with_context(|| format!("finding {}", folder.display()))?;
        Ok(Self { binaries: binaries()?, folder, description, lifetime, children: Vec::new(), _reservation: None })
    }

    /// Whether there is a cluster in a folder.
    #[must_use]
    pub fn exists(folder: &Path) -> bool {
        folder.join(DESCRIPTION).is_file()
    }

    /// Returns the cluster's folder, as a canonical path.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the current options of the cluster.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.description.options
    }

    /// Returns the path of the admin's kubeconfig.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    /// Creates a client with the admin's certificate.
    pub fn client(&self) -> anyhow::Result<Client> {
        Ok(Client::new(&self.admin()?)?)
    }

    /// Reads the admin's entry from the kubeconfig.
    pub(super) fn admin(&self) -> anyhow::Result<ClusterEntry> {
        Ok(Kubeconfig::read(&self.kubeconfig())?.current()?)
    }

    /// Returns the members, in the order in which they are started.
    #[must_use]
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

    pub(super) fn apiserver_urls(&self) -> Vec<String> {
        self.description.apiservers.iter().map(|index| self.apiserver_url(*index)).collect()
    }

    /// Returns the URL of the apiserver with this number.
    #[must_use]
    pub fn apiserver_url(&self, index: usize) -> String {
        format!("https://{}", self.apiserver_address(index))
    }

    pub(super) fn apiserver_address(&self, index: usize) -> String {
        self.description.network.apiserver(index)
    }

    /// Returns the path of a member's log.
    #[must_use]
    pub fn log(&self, member: MemberName) -> PathBuf {
        self.folder.join(format!("logs/{member}.log"))
    }

    /// Returns the paths of the apiservers' write logs; empty if they have none.
    #[must_use]
    pub fn write_logs(&self) -> Vec<PathBuf> {
        let members =
            self.members().into_iter().filter(|member| self.options().write_log && member.role == Role::Apiserver);
        members.map(|member| self.folder.join(crate::command::write_log(member))).collect()
    }

    pub(super) fn record(&self, member: MemberName) -> PathBuf {
        self.folder.join(format!("members/{member}.json"))
    }

    /// Returns a member's process: the recorded one, if it is still alive; else the one found on this machine; else the
    /// recorded one, which has ended. `None` if there never was one.
    pub(super) fn started(&self, member: MemberName) -> Option<ProcessId> {
        let written = read_json::<Started>(&self.record(member)).ok().map(|started| started.process);
        let is_it = |process: &ProcessId| process.state() != ProcessState::Stopped && is_in(*process, &self.folder);
        if written.as_ref().is_some_and(is_it) {
            return written;
        }
        let found = working_in(&self.folder).into_iter().find(|found| found.member() == Some(member));
        // A recorded process that is alive elsewhere belongs to another cluster.
        let ended = written.filter(|process| process.state() == ProcessState::Stopped);
        found.map(|found| found.process).or(ended)
    }

    /// Returns the state of a member's process, and its pid if it has not ended.
    #[must_use]
    pub fn state(&self, member: MemberName) -> (ProcessState, Option<i32>) {
        match self.started(member).map(|process| (process.state(), process.pid())) {
            None | Some((ProcessState::Stopped, _)) => (ProcessState::Stopped, None),
            Some((state, pid)) => (state, Some(pid)),
        }
    }

    /// Returns a member's use of cpu and memory; `None` if it is not running.
    #[must_use]
    pub fn usage(&self, member: MemberName) -> Option<Usage> {
        Usage::of_process(self.state(member).1?)
    }
}

/// Checks an image catalogue with the program that will read it.
fn check_images(file: &Path) -> anyhow::Result<()> {
    let output = std::process::Command::new(binaries()?.join("kubelet-sim")).arg("check-images").arg(file).output();
    let output = output.context("starting kubelet-sim")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim_end());
    Ok(())
}

/// Checks the options, creates the cluster's folder and locks it.
pub(super) fn prepare(folder: &Path, options: &Options) -> anyhow::Result<(PathBuf, FolderLock)> {
    options.check()?;
    make_folder(folder)?;
    let folder = folder.canonicalize().with_context(|| format!("finding {}", folder.display()))?;
    let lock = FolderLock::take(&folder)?;
    Ok((folder, lock))
}

fn read_description(folder: &Path) -> anyhow::Result<Description> {
    // The version first: nothing else is known about another version.
    let path = folder.join(DESCRIPTION);
    let Version { format_version } = read_json(&path)?;
    ensure!(
        format_version == FORMAT_VERSION,
        "{} is of format version {format_version}, this program reads version {FORMAT_VERSION}; remove the folder or use the version that made it",
        folder.display(),
    );
    read_json(&path)
}

fn remove_files(folder: &Path) -> anyhow::Result<()> {
    let gone = |path: &Path, result: std::io::Result<()>| match result {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", path.display()))
        }
        _ => Ok(()),
    };
    for path in PARTS.map(|part| folder.join(part)) {
        gone(&path, std::fs::remove_dir_all(&path))?;
    }
    for path in FILES.map(|file| folder.join(file)) {
        gone(&path, std::fs::remove_file(&path))?;
    }
    Ok(())
}
