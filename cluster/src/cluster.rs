//! A cluster in a folder: what it consists of, and what can be done to its members.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use anyhow::{Context, bail, ensure};
use serde::{Deserialize, Serialize};
use squall_client::{Client, Kubeconfig};

use crate::addresses::{MAX_APISERVERS, MAX_NODES, Network};
use crate::files::{make_folder, read_json, write_json};
use crate::member::{MemberName, Role};
use crate::process::{ProcessId, ProcessState};
use crate::usage::Usage;

const FORMAT_VERSION: u32 = 1;
/// The folders that a cluster makes in its own.
const PARTS: [&str; 5] = ["pki", "data", "logs", "run", "members"];
/// And the files.
const FILES: [&str; 2] = ["cluster.json", "kubeconfig"];

/// What a cluster consists of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Options {
    /// How many apiservers.
    pub apiservers: usize,
    /// How many controller-managers.
    pub controller_managers: usize,
    /// How many nodes.
    pub nodes: usize,
    /// Which constants: `fast` or `k8s`.
    pub timing: String,
    /// A file of images, beside the built-in ones.
    pub images: Option<PathBuf>,
}

/// Whether members outlive the process that starts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// They end when it ends, however it ends.
    Attached,
    /// They go on.
    Detached,
}

/// What is written into the folder.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Description {
    format_version: u32,
    pub(super) network: Network,
    options: Options,
}

/// A member's process, as written into the folder.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Started {
    pub(super) process: ProcessId,
}

/// A cluster.
pub struct Cluster {
    pub(super) folder: PathBuf,
    pub(super) binaries: PathBuf,
    pub(super) description: Description,
    pub(super) lifetime: Lifetime,
    /// The processes this one has started; dropping their input ends attached ones.
    pub(super) children: Vec<Child>,
    /// Of the network of a new cluster.
    _reservation: Option<File>,
}

impl Cluster {
    /// Makes a new cluster in a folder, without starting it.
    pub fn create(folder: &Path, options: Options, lifetime: Lifetime) -> anyhow::Result<Self> {
        ensure!(
            (1..=MAX_APISERVERS).contains(&options.apiservers),
            "a cluster has 1 to {MAX_APISERVERS} apiservers, not {}",
            options.apiservers
        );
        ensure!(options.controller_managers > 0, "a cluster has at least one controller-manager");
        ensure!(options.nodes <= MAX_NODES, "a cluster has at most {MAX_NODES} nodes, not {}", options.nodes);
        if let Some(taken) = PARTS.iter().chain(&FILES).map(|name| folder.join(name)).find(|path| path.exists()) {
            bail!(
                "{} is there already and belongs to no cluster: use another folder, or remove it if it is left from a start that failed",
                taken.display()
            );
        }
        make_folder(folder)?;
        let folder = folder.canonicalize().with_context(|| format!("finding {}", folder.display()))?;
        for part in PARTS {
            make_folder(&folder.join(part))?;
        }
        let (network, reservation) = Network::unused()?;
        let description = Description { format_version: FORMAT_VERSION, network, options };
        let (binaries, children) = (binaries()?, Vec::new());
        let cluster = Self { binaries, folder, description, lifetime, children, _reservation: Some(reservation) };
        cluster.issue_certificates()?;
        // The last file to be written: a folder without it is no cluster.
        write_json(&cluster.folder.join("cluster.json"), &cluster.description)?;
        Ok(cluster)
    }

    /// Removes what the cluster has made, and its folder if nothing else is in it: whatever else is there is the user's.
    /// Returns whether the folder is gone.
    pub fn delete(self) -> anyhow::Result<bool> {
        let gone = |path: &Path, result: std::io::Result<()>| match result {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("removing {}", path.display()))
            }
            _ => Ok(()),
        };
        for path in PARTS.map(|part| self.folder.join(part)) {
            gone(&path, std::fs::remove_dir_all(&path))?;
        }
        for path in FILES.map(|file| self.folder.join(file)) {
            gone(&path, std::fs::remove_file(&path))?;
        }
        match std::fs::remove_dir(&self.folder) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::DirectoryNotEmpty => Ok(false),
            Err(error) => Err(error).with_context(|| format!("removing {}", self.folder.display())),
        }
    }

    /// Finds the cluster in a folder.
    pub fn open(folder: &Path, lifetime: Lifetime) -> anyhow::Result<Self> {
        let path = folder.join("cluster.json");
        ensure!(path.is_file(), "there is no cluster in {}; start one with \"ctl cluster up\"", folder.display());
        let description: Description = read_json(&path)?;
        ensure!(
            description.format_version == FORMAT_VERSION,
            "{} is of format version {}, this program reads version {FORMAT_VERSION}; remove the folder or use the version that made it",
            folder.display(),
            description.format_version
        );
        let folder = folder.canonicalize().with_context(|| format!("finding {}", folder.display()))?;
        Ok(Self { binaries: binaries()?, folder, description, lifetime, children: Vec::new(), _reservation: None })
    }

    /// Whether there is a cluster in a folder.
    #[must_use]
    pub fn exists(folder: &Path) -> bool {
        folder.join("cluster.json").is_file()
    }

    /// Its folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What it consists of.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.description.options
    }

    /// The kubeconfig of its admin.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    /// A client as its admin.
    pub fn client(&self) -> anyhow::Result<Client> {
        Ok(Client::new(&Kubeconfig::read(&self.kubeconfig())?.current()?)?)
    }

    /// Its members, in the order in which they are started.
    #[must_use]
    pub fn members(&self) -> Vec<MemberName> {
        let options = self.options();
        let count = |role| match role {
            Role::Apiserver => options.apiservers,
            Role::ControllerManager => options.controller_managers,
            Role::Runtime | Role::Kubelet => options.nodes,
        };
        Role::ALL.into_iter().flat_map(|role| (0..count(role)).map(move |index| MemberName { role, index })).collect()
    }

    /// The members that a word means: a member's name, or `node-0` for a kubelet and its runtime.
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
        (0..self.options().apiservers)
            .map(|index| format!("https://{}", self.description.network.apiserver(index)))
            .collect()
    }

    /// The log of a member.
    #[must_use]
    pub fn log(&self, member: MemberName) -> PathBuf {
        self.folder.join(format!("logs/{member}.log"))
    }

    pub(super) fn record(&self, member: MemberName) -> PathBuf {
        self.folder.join(format!("members/{member}.json"))
    }

    /// How a member's process is doing, and its pid if it is there.
    #[must_use]
    pub fn state(&self, member: MemberName) -> (ProcessState, Option<i32>) {
        match read_json::<Started>(&self.record(member)) {
            Ok(started) => match started.process.state() {
                ProcessState::Stopped => (ProcessState::Stopped, None),
                state => (state, Some(started.process.pid())),
            },
            Err(_) => (ProcessState::Stopped, None),
        }
    }

    /// What a member uses of the machine. `None` if it does not run.
    #[must_use]
    pub fn usage(&self, member: MemberName) -> Option<Usage> {
        Usage::of_process(self.state(member).1?)
    }

    /// Starts every member that does not run.
    pub fn start_all(&mut self) -> anyhow::Result<()> {
        for member in self.members() {
            if self.state(member).0 == ProcessState::Stopped {
                self.start(member)?;
            }
        }
        Ok(())
    }

    /// Starts a member.
    pub fn start(&mut self, member: MemberName) -> anyhow::Result<()> {
        let (state, pid) = self.state(member);
        ensure!(state == ProcessState::Stopped, "{member} runs already, as process {}", pid.unwrap_or_default());
        self.reap();
        let log_path = self.log(member);
        let log = File::options()
            .create(true)
            .append(true)
            .open(&log_path)
            .with_context(|| format!("opening {}", log_path.display()))?;
        let mut command = self.command(member);
        // A group of its own: Ctrl-C in a terminal is for whoever watches, not for the members.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        command.stdout(log.try_clone()?).stderr(log);
        match self.lifetime {
            Lifetime::Attached => command.arg("--end-with-stdin").stdin(Stdio::piped()),
            Lifetime::Detached => command.stdin(Stdio::null()),
        };
        let child = command.spawn().with_context(|| format!("starting {:?}", command.get_program()))?;
        write_json(&self.record(member), &Started { process: ProcessId::of(child.id())? })?;
        self.children.push(child);
        Ok(())
    }
}

/// Where the programs are: beside this one.
fn binaries() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("finding this program")?;
    let folders = own.ancestors().skip(1).take(2);
    for folder in folders {
        if folder.join("apiserver").is_file()
            && folder.join("kubelet-sim").is_file()
            && folder.join("controller-manager").is_file()
        {
            return Ok(folder.to_owned());
        }
    }
    bail!(
        "the programs apiserver, controller-manager and kubelet-sim are not beside {}; build them with \"cargo build --release\"",
        own.display()
    )
}
