//! A cluster: its folder, the launcher of its members, and signals to them.

use std::path::{Path, PathBuf};

use anyhow::Context;
use rustix::process::Signal;
use squall_client::Client;
use squall_daemon::carried::is_forbidden;

use crate::certificates::update_kubeconfig;
use crate::creation::{create, prepare, remove_files};
use crate::folder::Folder;
use crate::launcher::Launcher;
use crate::lifetime::Lifetime;
use crate::lock::LOCK;
use crate::member::MemberName;
use crate::options::Options;
use crate::process::ProcessState;
use crate::ready::Failed;
use crate::reservation::Reservation;
use crate::signals::Signals;
use crate::usage::Usage;

/// A cluster in a folder, with the processes that this launcher has started.
#[derive(Debug)]
pub struct Cluster {
    pub(super) folder: Folder,
    pub(super) launcher: Launcher,
    /// Keeps the network of a new cluster.
    _reservation: Option<Reservation>,
}

impl Cluster {
    /// Creates a cluster in a folder without starting it. If another launcher was faster, opens that one's cluster.
    pub fn create(path: &Path, options: Options, lifetime: Lifetime) -> anyhow::Result<Self> {
        let (path, _lock) = prepare(path, &options)?;
        if Self::exists(&path) {
            return Self::open(&path, lifetime);
        }
        let reservation = Reservation::of_unused()?;
        Self::of(create(path, options, &reservation, |_| Ok(()))?, lifetime, Some(reservation))
    }

    pub(super) fn of(folder: Folder, lifetime: Lifetime, reservation: Option<Reservation>) -> anyhow::Result<Self> {
        Ok(Self { folder, launcher: Launcher::new(lifetime)?, _reservation: reservation })
    }

    /// Opens the cluster in a folder.
    pub fn open(path: &Path, lifetime: Lifetime) -> anyhow::Result<Self> {
        Self::of(Folder::open(path)?, lifetime, None)
    }

    /// Whether there is a cluster in a folder.
    #[must_use]
    pub fn exists(path: &Path) -> bool {
        Folder::exists(path)
    }

    /// Ends all members and removes the cluster's files. Removes the folder too, unless it holds anything else,
    /// which is the user's. Returns whether the folder is gone.
    pub fn delete(mut self) -> anyhow::Result<bool> {
        let lock = self.folder.lock()?;
        self.end(&self.members())?;
        self.signals().end_others()?;
        let path = self.folder();
        remove_files(path)?;
        std::fs::remove_file(path.join(LOCK)).context("removing the lock")?;
        drop(lock);
        match std::fs::remove_dir(path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::DirectoryNotEmpty => Ok(false),
            Err(error) => Err(error).with_context(|| format!("removing {}", path.display())),
        }
    }

    /// Returns the cluster's folder, as a canonical path.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the current options of the cluster.
    #[must_use]
    pub fn options(&self) -> &Options {
        self.folder.options()
    }

    /// Returns the path of the admin's kubeconfig.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.kubeconfig()
    }

    /// Creates a client with the admin's certificate.
    pub fn client(&self) -> anyhow::Result<Client> {
        Ok(Client::new(&self.folder.admin()?)?)
    }

    /// Whether this user may not listen on the ports below 1024, such as 80, so that others carry them.
    #[must_use]
    pub fn carries_low_ports(&self) -> bool {
        is_forbidden(self.folder.network().gateway(80))
    }

    /// Returns the members, in the order in which they are started.
    #[must_use]
    pub fn members(&self) -> Vec<MemberName> {
        self.folder.members()
    }

    /// Returns the members that a word names: a member's name, or `node-0` for a kubelet and its runtime.
    pub fn named(&self, word: &str) -> anyhow::Result<Vec<MemberName>> {
        self.folder.named(word)
    }

    /// Returns the URL of the apiserver with this number.
    #[must_use]
    pub fn apiserver_url(&self, index: usize) -> String {
        self.folder.apiserver_url(index)
    }

    /// Returns the path of a member's log.
    #[must_use]
    pub fn log(&self, member: MemberName) -> PathBuf {
        self.folder.log(member)
    }

    /// Returns the paths of the apiservers' write logs; empty if they have none.
    #[must_use]
    pub fn write_logs(&self) -> Vec<PathBuf> {
        self.folder.write_logs()
    }

    pub(super) fn signals(&self) -> Signals<'_> {
        Signals(&self.folder)
    }

    /// Returns the state of a member's process, and its pid if it has not ended.
    #[must_use]
    pub fn state(&self, member: MemberName) -> (ProcessState, Option<i32>) {
        self.signals().state(member)
    }

    /// Returns a member's use of cpu and memory; `None` if it is not running.
    #[must_use]
    pub fn usage(&self, member: MemberName) -> Option<Usage> {
        Usage::of_process(self.state(member).1?)
    }

    /// Starts every member that is not running, and returns which. If one cannot be started, ends the others again.
    pub fn start_all(&mut self) -> anyhow::Result<Vec<MemberName>> {
        let _lock = self.folder.lock()?;
        self.signals().end_others()?;
        // A change of the apiservers may have been interrupted before it updated the kubeconfig.
        update_kubeconfig(&self.folder)?;
        let alive = self.signals().alive();
        let absent: Vec<MemberName> = self.members().into_iter().filter(|member| !alive.contains(member)).collect();
        for (started, member) in absent.iter().enumerate() {
            if let Err(error) = self.launcher.start(&self.folder, *member) {
                self.end(&absent[..started])?;
                return Err(error);
            }
        }
        Ok(absent)
    }

    /// Starts a member.
    pub fn start(&mut self, member: MemberName) -> anyhow::Result<()> {
        let _lock = self.folder.lock()?;
        self.signals().end_others()?;
        self.launcher.start(&self.folder, member)
    }

    /// Kills a member: SIGKILL.
    pub fn kill(&mut self, member: MemberName) -> anyhow::Result<()> {
        self.kill_all(&[member])
    }

    /// Kills these members at the same time: SIGKILL.
    pub fn kill_all(&mut self, members: &[MemberName]) -> anyhow::Result<()> {
        let _lock = self.folder.lock()?;
        let killed = self.signals().kill(members);
        self.launcher.reap();
        killed
    }

    /// Kills all running members at the same time, as a power cut does.
    pub fn power_cut(&mut self) -> anyhow::Result<()> {
        self.kill_all(&self.signals().alive())
    }

    /// Asks a member to end, and waits for its end: SIGTERM.
    pub fn stop(&mut self, member: MemberName) -> anyhow::Result<()> {
        let _lock = self.folder.lock()?;
        let stopped = self.signals().stop(member);
        self.launcher.reap();
        stopped
    }

    /// Starts a member again. If it is running, ends it first, as [`Cluster::stop`] does.
    pub fn restart(&mut self, member: MemberName) -> anyhow::Result<()> {
        let _lock = self.folder.lock()?;
        if self.state(member).0 != ProcessState::Stopped {
            self.signals().stop(member)?;
        }
        self.launcher.start(&self.folder, member)
    }

    /// Freezes a member: SIGSTOP.
    pub fn pause(&self, member: MemberName) -> anyhow::Result<()> {
        self.signals().send(member, Signal::STOP)
    }

    /// Resumes a frozen member: SIGCONT.
    pub fn resume(&self, member: MemberName) -> anyhow::Result<()> {
        self.signals().send(member, Signal::CONT)
    }

    /// Ends all members: sends SIGTERM first, and kills those that do not end in time.
    pub fn down(&mut self) -> anyhow::Result<()> {
        let _lock = self.folder.lock()?;
        self.end(&self.members())?;
        self.signals().end_others()
    }

    /// Ends these members, as [`Cluster::down`] ends all.
    pub fn end_only(&mut self, members: &[MemberName]) -> anyhow::Result<()> {
        let _lock = self.folder.lock()?;
        self.end(members)
    }

    /// Ends these members. The caller holds the lock.
    pub(super) fn end(&mut self, members: &[MemberName]) -> anyhow::Result<()> {
        let ended = self.signals().end(members);
        self.launcher.reap();
        ended
    }

    /// Returns the members that have ended on their own.
    pub fn failures(&mut self) -> Vec<Failed> {
        self.launcher.reap();
        let failed = |member| Some(Failed { member, reason: self.signals().failure(member)? });
        self.members().into_iter().filter_map(failed).collect()
    }

    /// Describes a member that has ended on its own, with the last line of its log.
    pub fn first_failure(&mut self) -> Option<String> {
        self.failures().into_iter().next().map(|failed| failed.reason)
    }

    /// Whether all apiservers have been seen running.
    pub(super) fn is_founded(&self) -> bool {
        self.folder.description.founded
    }

    /// Records that all apiservers have been seen running.
    pub(super) fn note_founded(&mut self) -> anyhow::Result<()> {
        if self.folder.description.founded {
            return Ok(());
        }
        let _lock = self.folder.lock()?;
        self.folder.set_founded()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.launcher.must_end_members() && self.down().is_err() {
            self.launcher.abandon();
        }
    }
}
