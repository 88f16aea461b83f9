//! Starts members, and records their processes.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use anyhow::{Context, bail, ensure};
use jiff::Timestamp;

use crate::cluster::{Cluster, Lifetime, Started};
use crate::files::write_json;
use crate::member::MemberName;
use crate::process::{ProcessId, ProcessState};

/// A process that this launcher has started.
pub(super) struct OwnChild {
    member: MemberName,
    at: Timestamp,
    pub(super) process: Child,
}

impl Cluster {
    /// Starts every member that is not running, and returns which. If one cannot be started, ends the others again.
    pub fn start_all(&mut self) -> anyhow::Result<Vec<MemberName>> {
        let _lock = self.lock()?;
        self.end_others()?;
        // A change of the apiservers may have been interrupted before it updated the kubeconfig.
        self.update_kubeconfig()?;
        let absent: Vec<MemberName> =
            self.members().into_iter().filter(|member| self.state(*member).0 == ProcessState::Stopped).collect();
        for (started, member) in absent.iter().enumerate() {
            if let Err(error) = self.spawn(*member) {
                self.end(absent[..started].to_vec())?;
                return Err(error);
            }
        }
        Ok(absent)
    }

    /// Starts a member.
    pub fn start(&mut self, member: MemberName) -> anyhow::Result<()> {
        let _lock = self.lock()?;
        self.end_others()?;
        self.spawn(member)
    }

    pub(super) fn spawn(&mut self, member: MemberName) -> anyhow::Result<()> {
        let (state, pid) = self.state(member);
        ensure!(state == ProcessState::Stopped, "{member} is already running, as process {}", pid.unwrap_or_default());
        self.reap();
        let log_path = self.log(member);
        let log = File::options()
            .create(true)
            .append(true)
            .open(&log_path)
            .with_context(|| format!("opening {}", log_path.display()))?;
        let mut command = self.command(member);
        // A process group of its own: Ctrl-C in a terminal must not reach the members.
        command.process_group(0);
        command.stdout(log.try_clone()?).stderr(log);
        match self.lifetime {
            Lifetime::Attached => command.arg("--end-with-stdin").stdin(Stdio::piped()),
            Lifetime::Detached => command.stdin(Stdio::null()),
        };
        let at = Timestamp::now();
        let mut process = command.spawn().with_context(|| format!("starting {:?}", command.get_program()))?;
        let written =
            ProcessId::of(process.id()).and_then(|process| write_json(&self.record(member), &Started { process }));
        // An old record does no harm: it names a process that has ended, and this one is found without it.
        if let Err(error) = written.or_else(|error| if self.record(member).exists() { Ok(()) } else { Err(error) }) {
            process.kill().and_then(|()| process.wait().map(drop))?;
            return Err(error);
        }
        self.children.push(OwnChild { member, at, process });
        Ok(())
    }

    /// Records that all apiservers have been seen running.
    pub(super) fn note_founded(&mut self) -> anyhow::Result<()> {
        if self.description.founded {
            return Ok(());
        }
        let _lock = self.lock()?;
        self.set_founded()
    }

    /// Returns when this launcher started a member; `None` if another did.
    pub(super) fn started_at(&self, member: MemberName) -> Option<Timestamp> {
        self.children.iter().rev().find(|child| child.member == member).map(|child| child.at)
    }
}

/// Returns the folder with the programs: this program's own folder, or the one above.
pub(super) fn binaries() -> anyhow::Result<PathBuf> {
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
