//! The processes of a cluster's members: which is which, their state, signals to them, and their end.

use std::time::Instant;

use anyhow::{Context, ensure};
use rustix::process::Signal;
use serde::{Deserialize, Serialize};

use crate::files::{read_json, write_json};
use crate::folder::Folder;
use crate::found::{self, STOP_PATIENCE, is_in, working_in};
use crate::member::{MemberName, Role};
use crate::pause::wait_a_moment;
use crate::process::{ProcessId, ProcessState};

/// Finds the processes of the members and sends signals to them, whichever launcher has started them.
#[derive(Debug, Clone, Copy)]
pub struct Signals<'a>(pub &'a Folder);

/// A member's process, as recorded in the folder.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Started {
    process: ProcessId,
}

impl Signals<'_> {
    /// Records the process of a member in the folder.
    pub fn record(self, member: MemberName, process: ProcessId) -> anyhow::Result<()> {
        write_json(&self.0.record(member), &Started { process })
    }

    /// Returns a member's process: the recorded one, if it is still alive; else the one found on this machine; else the
    /// recorded one, which has ended. `None` if there never was one.
    pub fn process(self, member: MemberName) -> Option<ProcessId> {
        let written = read_json::<Started>(&self.0.record(member)).ok().map(|started| started.process);
        let is_it = |process: &ProcessId| process.state() != ProcessState::Stopped && is_in(*process, self.0.path());
        if written.as_ref().is_some_and(is_it) {
            return written;
        }
        let found = working_in(self.0.path()).into_iter().find(|found| found.member() == Some(member));
        // A recorded process that is alive elsewhere belongs to another cluster.
        let ended = written.filter(|process| process.state() == ProcessState::Stopped);
        found.map(|found| found.process).or(ended)
    }

    /// Returns the state of a member's process, and its pid if it has not ended.
    pub fn state(self, member: MemberName) -> (ProcessState, Option<i32>) {
        match self.process(member).map(|process| (process.state(), process.pid())) {
            None | Some((ProcessState::Stopped, _)) => (ProcessState::Stopped, None),
            Some((state, pid)) => (state, Some(pid)),
        }
    }

    /// Returns the members that are running or paused.
    pub fn alive(self) -> Vec<MemberName> {
        let members = self.0.members().into_iter();
        members.filter(|member| self.state(*member).0 != ProcessState::Stopped).collect()
    }

    /// Sends a signal to a member.
    pub fn send(self, member: MemberName, signal: Signal) -> anyhow::Result<()> {
        let process = self.process(member).with_context(|| format!("{member} has never been started"))?;
        ensure!(process.state() != ProcessState::Stopped, "{member} is not running");
        process.signal(signal)
    }

    /// Kills these members at the same time, and waits for their end.
    pub fn kill(self, members: &[MemberName]) -> anyhow::Result<()> {
        members.iter().try_for_each(|member| self.send(*member, Signal::KILL))?;
        members.iter().try_for_each(|member| self.wait_stopped(*member))
    }

    /// Asks a member to end, and waits for its end.
    pub fn stop(self, member: MemberName) -> anyhow::Result<()> {
        // A paused process does not react to SIGTERM.
        self.send(member, Signal::CONT)?;
        self.send(member, Signal::TERM)?;
        self.wait_stopped(member)
    }

    fn wait_stopped(self, member: MemberName) -> anyhow::Result<()> {
        let start = Instant::now();
        while self.state(member).0 != ProcessState::Stopped {
            ensure!(start.elapsed() < 2 * STOP_PATIENCE, "{member} did not end within {:?}", 2 * STOP_PATIENCE);
            wait_a_moment();
        }
        Ok(())
    }

    /// Ends these members: sends SIGTERM first, and kills those that do not end in time. Those that need an apiserver to
    /// end cleanly go first.
    pub fn end(self, members: &[MemberName]) -> anyhow::Result<()> {
        let is_needed = |member: &&MemberName| matches!(member.role, Role::Apiserver | Role::Links);
        let (needed, others): (Vec<&MemberName>, Vec<&MemberName>) = members.iter().partition(is_needed);
        for group in [others, needed] {
            let processes: Vec<ProcessId> = group.into_iter().filter_map(|member| self.process(*member)).collect();
            found::end(&processes)?;
        }
        Ok(())
    }

    /// Ends processes in the folder that do not belong to a current member.
    pub fn end_others(self) -> anyhow::Result<()> {
        let known: Vec<_> = self.0.members().into_iter().filter_map(|member| self.process(member)).collect();
        let found = working_in(self.0.path()).into_iter().map(|found| found.process);
        found::end(&found.filter(|process| !known.contains(process)).collect::<Vec<_>>())
    }

    /// Describes a member that has ended on its own, with the last line of its log.
    pub fn failure(self, member: MemberName) -> Option<String> {
        if !self.0.record(member).exists() || self.state(member).0 != ProcessState::Stopped {
            return None;
        }
        let path = self.0.log(member);
        let log = std::fs::read_to_string(&path).unwrap_or_default();
        let last = log.lines().last().unwrap_or("its log is empty");
        Some(format!("{member} ended: {last} (see its log {})", path.display()))
    }
}
