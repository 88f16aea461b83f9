//! A cluster in a folder: what it consists of, and what can be done to its members.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use rustix::process::Signal;
use serde::{Deserialize, Serialize};
use squall_client::{Client, ClusterEntry, Kubeconfig};

use crate::addresses::{MAX_APISERVERS, MAX_NODES, Network};
use crate::files::{make_folder, read_json, write_json, write_private};
use crate::member::{MemberName, Role};
use crate::pki::{Authority, Subject};
use crate::process::{ProcessId, ProcessState};

const FORMAT_VERSION: u32 = 1;
/// A Unix socket's path may not be longer.
const MAX_SOCKET_PATH: usize = 100;
/// How long members have to end by themselves.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

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
struct Description {
    format_version: u32,
    network: Network,
    options: Options,
}

/// A member's process, as written into the folder.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Started {
    process: ProcessId,
}

/// A cluster.
pub struct Cluster {
    folder: PathBuf,
    binaries: PathBuf,
    description: Description,
    lifetime: Lifetime,
    /// The processes this one has started; dropping their input ends attached ones.
    children: Vec<Child>,
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
        make_folder(folder)?;
        let folder = folder.canonicalize().with_context(|| format!("finding {}", folder.display()))?;
        for part in ["pki", "data", "logs", "run", "members"] {
            make_folder(&folder.join(part))?;
        }
        let description = Description { format_version: FORMAT_VERSION, network: Network::unused()?, options };
        let cluster = Self { binaries: binaries()?, folder, description, lifetime, children: Vec::new() };
        cluster.issue_certificates()?;
        // The last file to be written: a folder without it is no cluster.
        write_json(&cluster.folder.join("cluster.json"), &cluster.description)?;
        Ok(cluster)
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
        Ok(Self { binaries: binaries()?, folder, description, lifetime, children: Vec::new() })
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

    fn issue_certificates(&self) -> anyhow::Result<()> {
        let authority = Authority::new()?;
        let folder = self.folder.join("pki");
        write_private(&folder.join("ca.crt"), authority.certificate().as_bytes())?;
        let network = self.description.network;
        for member in self.members() {
            let (name, addresses);
            let (user, group) = match member.role {
                Role::Apiserver => {
                    let address = network.apiserver(member.index);
                    let host = address.split(':').next().unwrap_or_default().to_owned();
                    addresses = vec![host, network.kubernetes_service(), "127.0.0.1".to_owned()];
                    authority.issue_to(
                        &folder,
                        &member.to_string(),
                        &Subject { user: "kube-apiserver", group: "system:masters", addresses: &addresses },
                    )?;
                    continue;
                }
                Role::ControllerManager => ("system:kube-controller-manager", "system:controllers"),
                Role::Kubelet => {
                    name = format!("system:node:node-{}", member.index);
                    (name.as_str(), "system:nodes")
                }
                Role::Runtime => continue,
            };
            authority.issue_to(&folder, &member.to_string(), &Subject { user, group, addresses: &[] })?;
        }
        let (certificate, key) =
            authority.issue(&Subject { user: "admin", group: "system:masters", addresses: &[] })?;
        let entry = ClusterEntry {
            name: "squall".to_owned(),
            endpoints: self.apiserver_urls(),
            ca: authority.certificate().into_bytes(),
            certificate: certificate.into_bytes(),
            key: key.into_bytes(),
            user: "admin".to_owned(),
            namespace: "default".to_owned(),
        };
        write_private(&self.kubeconfig(), Kubeconfig::of(&entry).to_text().as_bytes())
    }

    fn apiserver_urls(&self) -> Vec<String> {
        (0..self.options().apiservers)
            .map(|index| format!("https://{}", self.description.network.apiserver(index)))
            .collect()
    }

    fn socket(&self, node: usize) -> PathBuf {
        let socket = self.folder.join(format!("run/node-{node}.sock"));
        if socket.as_os_str().len() <= MAX_SOCKET_PATH {
            return socket;
        }
        // The inode of the folder is as good as its path, and shorter.
        let inode = fs::metadata(&self.folder).map(|data| std::os::unix::fs::MetadataExt::ino(&data)).unwrap_or(0);
        std::env::temp_dir().join(format!("squall-{inode}-node-{node}.sock"))
    }

    /// The log of a member.
    #[must_use]
    pub fn log(&self, member: MemberName) -> PathBuf {
        self.folder.join(format!("logs/{member}.log"))
    }

    fn record(&self, member: MemberName) -> PathBuf {
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

    fn command(&self, member: MemberName) -> Command {
        let options = self.options();
        let network = self.description.network;
        let program = match member.role {
            Role::Apiserver => "apiserver",
            Role::ControllerManager => "controller-manager",
            Role::Runtime | Role::Kubelet => "kubelet-sim",
        };
        let mut command = Command::new(self.binaries.join(program));
        let index = member.index;
        match member.role {
            Role::Apiserver => {
                let data = self.folder.join(format!("data/{member}"));
                let is_new = !data.join("member.json").exists() && !self.record(member).exists();
                command.args(["--name", &member.to_string(), "--id", &(index + 1).to_string()]);
                command
                    .args(["--listen", &network.apiserver(index), "--service-cidr", &network.services()])
                    .arg("--data-dir")
                    .arg(data);
                if is_new {
                    let founders = self.apiserver_urls().into_iter().enumerate();
                    command.args(
                        founders.flat_map(|(founder, url)| ["--founder".to_owned(), format!("{}={url}", founder + 1)]),
                    );
                }
            }
            Role::ControllerManager => {
                command.args(["--name", &member.to_string(), "--timing", &options.timing]);
            }
            Role::Runtime => {
                command.arg("runtime").arg("--socket").arg(self.socket(index));
                if let Some(images) = &options.images {
                    command.arg("--images").arg(images);
                }
            }
            Role::Kubelet => {
                command.args([
                    "agent",
                    "--node",
                    &format!("node-{index}"),
                    "--pod-cidr",
                    &network.node(index),
                    "--timing",
                    &options.timing,
                ]);
                command.arg("--runtime").arg(self.socket(index));
            }
        }
        if matches!(member.role, Role::ControllerManager | Role::Kubelet) {
            command.args(self.apiserver_urls().into_iter().flat_map(|url| ["--apiserver".to_owned(), url]));
        }
        if member.role != Role::Runtime {
            let pki = self.folder.join("pki");
            command.arg("--ca").arg(pki.join("ca.crt"));
            command
                .arg("--cert")
                .arg(pki.join(format!("{member}.crt")))
                .arg("--key")
                .arg(pki.join(format!("{member}.key")));
        }
        command
    }

    /// Sends a signal to a member.
    fn signal(&self, member: MemberName, signal: Signal) -> anyhow::Result<()> {
        let started: Started =
            read_json(&self.record(member)).with_context(|| format!("{member} has never been started"))?;
        ensure!(started.process.state() != ProcessState::Stopped, "{member} does not run");
        started.process.signal(signal)
    }

    /// Ends a member at once: SIGKILL.
    pub fn kill(&mut self, member: MemberName) -> anyhow::Result<()> {
        self.signal(member, Signal::KILL)?;
        self.wait_stopped(member)
    }

    /// Asks a member to end: SIGTERM.
    pub fn stop(&mut self, member: MemberName) -> anyhow::Result<()> {
        // One that is paused cannot hear.
        self.signal(member, Signal::CONT)?;
        self.signal(member, Signal::TERM)?;
        self.wait_stopped(member)
    }

    /// Freezes a member: SIGSTOP.
    pub fn pause(&self, member: MemberName) -> anyhow::Result<()> {
        self.signal(member, Signal::STOP)
    }

    /// Lets a frozen member go on: SIGCONT.
    pub fn resume(&self, member: MemberName) -> anyhow::Result<()> {
        self.signal(member, Signal::CONT)
    }

    fn wait_stopped(&mut self, member: MemberName) -> anyhow::Result<()> {
        let start = Instant::now();
        while self.state(member).0 != ProcessState::Stopped {
            ensure!(start.elapsed() < 2 * STOP_PATIENCE, "{member} did not end in {:?}", 2 * STOP_PATIENCE);
            self.reap();
            wait_a_moment();
        }
        Ok(())
    }

    /// Ends all members: asks first, kills those that do not listen.
    pub fn down(&mut self) -> anyhow::Result<()> {
        let members = self.members();
        // Kubelets first, so that nothing is reported as failed on the way.
        for member in members.iter().rev() {
            for signal in [Signal::CONT, Signal::TERM] {
                if self.state(*member).0 != ProcessState::Stopped {
                    self.signal(*member, signal)?;
                }
            }
        }
        let start = Instant::now();
        let mut left = members;
        while !left.is_empty() {
            self.reap();
            left.retain(|member| self.state(*member).0 != ProcessState::Stopped);
            if start.elapsed() > STOP_PATIENCE {
                for member in &left {
                    self.signal(*member, Signal::KILL)?;
                }
            }
            wait_a_moment();
        }
        Ok(())
    }

    /// Ends all members at once, as a power cut does.
    pub fn power_cut(&mut self) -> anyhow::Result<()> {
        let running: Vec<MemberName> =
            self.members().into_iter().filter(|member| self.state(*member).0 != ProcessState::Stopped).collect();
        for member in &running {
            self.signal(*member, Signal::KILL)?;
        }
        running.into_iter().try_for_each(|member| self.wait_stopped(member))
    }

    /// Takes leave of processes that have ended, so that they do not linger.
    fn reap(&mut self) {
        self.children.retain_mut(|child| !matches!(child.try_wait(), Ok(Some(_))));
    }

    /// A member of ours that has ended by itself, with the end of its log.
    pub fn first_failure(&mut self) -> Option<String> {
        self.reap();
        let member = self
            .members()
            .into_iter()
            .find(|member| self.record(*member).exists() && self.state(*member).0 == ProcessState::Stopped)?;
        let log = fs::read_to_string(self.log(member)).unwrap_or_default();
        let last = log.lines().last().unwrap_or("it left no log");
        Some(format!("{member} ended: {last} (its log is {})", self.log(member).display()))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.lifetime == Lifetime::Attached && !self.children.is_empty() {
            // Ends them all, and leaves nothing behind even if this fails: their input closes with us.
            drop(self.down());
        }
    }
}

fn wait_a_moment() {
    // Processes can only be asked again.
    #[expect(clippy::disallowed_methods, reason = "there is no event for the end of a process that is not a child")]
    std::thread::sleep(Duration::from_millis(5));
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
