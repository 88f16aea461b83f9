//! Starts members as processes of their own, and keeps those that it has started.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use anyhow::{Context, ensure};
use jiff::Timestamp;

use crate::command::command;
use crate::folder::Folder;
use crate::lifetime::Lifetime;
use crate::member::{MemberName, Role};
use crate::pki::keep_token_key;
use crate::process::{ProcessId, ProcessState};
use crate::programs::programs;
use crate::signals::Signals;

/// Starts members.
#[derive(Debug)]
pub struct Launcher {
    /// The folder with the programs.
    pub programs: PathBuf,
    lifetime: Lifetime,
    /// Closing their stdin ends attached ones.
    children: Vec<OwnChild>,
}

/// A process that this launcher has started.
#[derive(Debug)]
struct OwnChild {
    member: MemberName,
    at: Timestamp,
    process: Child,
}

impl Launcher {
    /// Creates a launcher that has started nothing yet.
    pub fn new(lifetime: Lifetime) -> anyhow::Result<Self> {
        Ok(Self { programs: programs()?, lifetime, children: Vec::new() })
    }

    /// Starts a member and records its process. The caller holds the folder's lock.
    pub fn start(&mut self, folder: &Folder, member: MemberName) -> anyhow::Result<()> {
        let (state, pid) = Signals(folder).state(member);
        ensure!(state == ProcessState::Stopped, "{member} is already running, as process {}", pid.unwrap_or_default());
        self.reap();
        let log_path = folder.log(member);
        let log = File::options()
            .create(true)
            .append(true)
            .open(&log_path)
            .with_context(|| format!("opening {}", log_path.display()))?;
        if member.role == Role::Apiserver {
            keep_token_key(&folder.pki())?;
        }
        let mut command = command(folder, &self.programs, member, self.lifetime)?;
        // A process group of its own: Ctrl-C in a terminal must not reach the members.
        command.process_group(0);
        command.stdout(log.try_clone()?).stderr(log);
        command.stdin(match self.lifetime {
            Lifetime::Attached => Stdio::piped(),
            Lifetime::Detached => Stdio::null(),
        });
        let at = Timestamp::now();
        let mut process = command.spawn().with_context(|| format!("starting {:?}", command.get_program()))?;
        let written = ProcessId::of(process.id()).and_then(|process| Signals(folder).record(member, process));
        // An old record does no harm: it names a process that has ended, and this one is found without it.
        if let Err(error) = written.or_else(|error| if folder.record(member).exists() { Ok(()) } else { Err(error) }) {
            process.kill().and_then(|()| process.wait().map(drop))?;
            return Err(error);
        }
        self.children.push(OwnChild { member, at, process });
        Ok(())
    }

    /// Returns when this launcher started a member; `None` if another did.
    pub fn started_at(&self, member: MemberName) -> Option<Timestamp> {
        self.children.iter().rev().find(|child| child.member == member).map(|child| child.at)
    }

    /// Reaps child processes that have ended, so that they do not remain as zombies.
    pub fn reap(&mut self) {
        self.children.retain_mut(|child| !matches!(child.process.try_wait(), Ok(Some(_))));
    }

    /// Whether members must end with this launcher.
    pub fn must_end_members(&self) -> bool {
        self.lifetime == Lifetime::Attached && !self.children.is_empty()
    }

    /// Kills what it has started, without the folder, which may be gone. Members end when their stdin closes, but a
    /// frozen one would not notice.
    pub fn abandon(&mut self) {
        for child in &mut self.children {
            drop(child.process.kill());
            drop(child.process.wait());
        }
    }
}
