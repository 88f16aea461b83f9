//! Signals to members, and their end: requested, forced, or on their own.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rustix::process::Signal;

use crate::cluster::{Cluster, Lifetime};
use crate::found::{self, working_in};
use crate::member::{MemberName, Role};
use crate::process::{ProcessId, ProcessState};
use crate::wait_a_moment;

/// How long members may take to end before they are killed.
pub const STOP_PATIENCE: Duration = Duration::from_secs(5);

impl Cluster {
    /// Sends a signal to a member.
    fn signal(&self, member: MemberName, signal: Signal) -> anyhow::Result<()> {
        let process = self.started(member).with_context(|| format!("{member} has never been started"))?;
        ensure!(process.state() != ProcessState::Stopped, "{member} is not running");
        process.signal(signal)
    }

    /// Kills a member: SIGKILL.
    pub fn kill(&mut self, member: MemberName) -> anyhow::Result<()> {
        self.kill_all(&[member])
    }

    /// Kills these members at the same time: SIGKILL.
    pub fn kill_all(&mut self, members: &[MemberName]) -> anyhow::Result<()> {
        let _lock = self.lock()?;
        members.iter().try_for_each(|member| self.signal(*member, Signal::KILL))?;
        members.iter().try_for_each(|member| self.wait_stopped(*member))
    }

    /// Asks a member to end, and waits for its end: SIGTERM.
    pub fn stop(&mut self, member: MemberName) -> anyhow::Result<()> {
        let _lock = self.lock()?;
        self.stop_and_wait(member)
    }

    /// Starts a member again. If it is running, ends it first, as [`Cluster::stop`] does.
    pub fn restart(&mut self, member: MemberName) -> anyhow::Result<()> {
        let _lock = self.lock()?;
        if self.state(member).0 != ProcessState::Stopped {
            self.stop_and_wait(member)?;
        }
        self.spawn(member)
    }

    fn stop_and_wait(&mut self, member: MemberName) -> anyhow::Result<()> {
        // A paused process does not react to SIGTERM.
        self.signal(member, Signal::CONT)?;
        self.signal(member, Signal::TERM)?;
        self.wait_stopped(member)
    }

    /// Freezes a member: SIGSTOP.
    pub fn pause(&self, member: MemberName) -> anyhow::Result<()> {
        self.signal(member, Signal::STOP)
    }

    /// Resumes a frozen member: SIGCONT.
    pub fn resume(&self, member: MemberName) -> anyhow::Result<()> {
        self.signal(member, Signal::CONT)
    }

    fn wait_stopped(&mut self, member: MemberName) -> anyhow::Result<()> {
        let start = Instant::now();
        while self.state(member).0 != ProcessState::Stopped {
            ensure!(start.elapsed() < 2 * STOP_PATIENCE, "{member} did not end within {:?}", 2 * STOP_PATIENCE);
            self.reap();
            wait_a_moment();
        }
        Ok(())
    }

    /// Ends all members: sends SIGTERM first, and kills those that do not end in time.
    pub fn down(&mut self) -> anyhow::Result<()> {
        let _lock = self.lock()?;
        self.end(self.members())?;
        self.end_others()
    }

    /// Ends these members, as [`Cluster::down`] ends all.
    pub fn end_only(&mut self, members: &[MemberName]) -> anyhow::Result<()> {
        let _lock = self.lock()?;
        self.end(members.to_vec())
    }

    /// Ends these members; those that need an apiserver to end cleanly go first. The caller holds the lock.
    pub(super) fn end(&mut self, members: Vec<MemberName>) -> anyhow::Result<()> {
        let (apiservers, clients): (Vec<_>, Vec<_>) =
            members.into_iter().partition(|member| matches!(member.role, Role::Apiserver | Role::Links));
        for group in [clients, apiservers] {
            let processes: Vec<ProcessId> = group.into_iter().filter_map(|member| self.started(member)).collect();
            found::end(&processes)?;
            self.reap();
        }
        Ok(())
    }

    /// Ends processes in the folder that do not belong to a current member.
    pub(super) fn end_others(&mut self) -> anyhow::Result<()> {
        let known: Vec<_> = self.members().into_iter().filter_map(|member| self.started(member)).collect();
        let found = working_in(&self.folder).into_iter().map(|found| found.process);
        found::end(&found.filter(|process| !known.contains(process)).collect::<Vec<_>>())
    }

    /// Kills all running members at the same time, as a power cut does.
    pub fn power_cut(&mut self) -> anyhow::Result<()> {
        let running: Vec<MemberName> =
            self.members().into_iter().filter(|member| self.state(*member).0 != ProcessState::Stopped).collect();
        self.kill_all(&running)
    }

    /// Reaps child processes that have ended, so that they do not remain as zombies.
    pub(super) fn reap(&mut self) {
        self.children.retain_mut(|child| !matches!(child.process.try_wait(), Ok(Some(_))));
    }

    /// Describes a member that has ended on its own, with the last line of its log.
    pub fn first_failure(&mut self) -> Option<String> {
        self.members().into_iter().find_map(|member| self.failure_of(member))
    }

    /// Does the same for one member.
    pub(super) fn failure_of(&mut self, member: MemberName) -> Option<String> {
        self.reap();
        if !self.record(member).exists() || self.state(member).0 != ProcessState::Stopped {
            return None;
        }
        let log = fs::read_to_string(self.log(member)).unwrap_or_default();
        let last = log.lines().last().unwrap_or("its log is empty");
        Some(format!("{member} ended: {last} (see its log {})", self.log(member).display()))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let is_ours = self.lifetime == Lifetime::Attached && !self.children.is_empty();
        if is_ours && self.down().is_err() {
            // The folder may be gone. Members end when their stdin closes, but a frozen one would not notice.
            for child in &mut self.children {
                drop(child.process.kill());
                drop(child.process.wait());
            }
        }
    }
}
