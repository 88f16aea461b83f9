//! Signals to members, and their end: asked for, forced, or by themselves.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rustix::process::Signal;

use crate::cluster::{Cluster, Lifetime, Started};
use crate::files::read_json;
use crate::member::{MemberName, Role};
use crate::process::ProcessState;
use crate::wait_a_moment;

/// How long members have to end by themselves.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

impl Cluster {
    /// Sends a signal to a member.
    fn signal(&self, member: MemberName, signal: Signal) -> anyhow::Result<()> {
        let started: Started =
            read_json(&self.record(member)).with_context(|| format!("{member} has never been started"))?;
        ensure!(started.process.state() != ProcessState::Stopped, "{member} does not run");
        started.process.signal(signal)
    }

    /// The same for one that may have ended by itself meanwhile.
    fn signal_if_running(&self, member: MemberName, signal: Signal) -> anyhow::Result<()> {
        match read_json::<Started>(&self.record(member)) {
            Ok(started) => started.process.signal(signal),
            // Without a record it has never been started.
            Err(_) if !self.record(member).exists() => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Ends a member at once: SIGKILL.
    pub fn kill(&mut self, member: MemberName) -> anyhow::Result<()> {
        self.kill_all(&[member])
    }

    /// Ends these members at the same moment: SIGKILL.
    pub fn kill_all(&mut self, members: &[MemberName]) -> anyhow::Result<()> {
        let _lock = self.lock()?;
        members.iter().try_for_each(|member| self.signal(*member, Signal::KILL))?;
        members.iter().try_for_each(|member| self.wait_stopped(*member))
    }

    /// Asks a member to end: SIGTERM.
    pub fn stop(&mut self, member: MemberName) -> anyhow::Result<()> {
        let _lock = self.lock()?;
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
        let _lock = self.lock()?;
        self.adopt_strays()?;
        self.end(self.members())
    }

    /// Ends these members, as [`Cluster::down`] ends all.
    pub fn end_only(&mut self, members: &[MemberName]) -> anyhow::Result<()> {
        let _lock = self.lock()?;
        self.end(members.to_vec())
    }

    /// The caller holds the lock. Whoever needs an apiserver to take its leave goes before them.
    pub(super) fn end(&mut self, members: Vec<MemberName>) -> anyhow::Result<()> {
        let (apiservers, clients) = members.into_iter().partition(|member| member.role == Role::Apiserver);
        self.end_together(clients)?;
        self.end_together(apiservers)
    }

    fn end_together(&mut self, mut left: Vec<MemberName>) -> anyhow::Result<()> {
        for member in &left {
            for signal in [Signal::CONT, Signal::TERM] {
                self.signal_if_running(*member, signal)?;
            }
        }
        let start = Instant::now();
        loop {
            self.reap();
            left.retain(|member| self.state(*member).0 != ProcessState::Stopped);
            if left.is_empty() {
                return Ok(());
            }
            if start.elapsed() > STOP_PATIENCE {
                for member in &left {
                    self.signal_if_running(*member, Signal::KILL)?;
                }
            }
            wait_a_moment();
        }
    }

    /// Ends all members at once, as a power cut does.
    pub fn power_cut(&mut self) -> anyhow::Result<()> {
        let running: Vec<MemberName> =
            self.members().into_iter().filter(|member| self.state(*member).0 != ProcessState::Stopped).collect();
        self.kill_all(&running)
    }

    /// Takes leave of processes that have ended, so that they do not linger.
    pub(super) fn reap(&mut self) {
        self.children.retain_mut(|child| !matches!(child.process.try_wait(), Ok(Some(_))));
    }

    /// A member that has ended by itself, with the end of its log.
    pub fn first_failure(&mut self) -> Option<String> {
        self.members().into_iter().find_map(|member| self.failure_of(member))
    }

    /// The same of one member.
    pub(super) fn failure_of(&mut self, member: MemberName) -> Option<String> {
        self.reap();
        if !self.record(member).exists() || self.state(member).0 != ProcessState::Stopped {
            return None;
        }
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
