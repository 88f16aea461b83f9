//! The commands that run beside an arm's steps, by name.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Context;
use squall_cluster::{ClientProcess, ProcessState};

use crate::scenario::ClientState;

/// All of them. They are ended when this is dropped.
#[derive(Default)]
pub struct Commands {
    running: Mutex<BTreeMap<String, ClientProcess>>,
}

impl Commands {
    fn running(&self) -> MutexGuard<'_, BTreeMap<String, ClientProcess>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more; one of the same name is ended.
    pub fn add(&self, name: &str, process: ClientProcess) {
        self.running().insert(name.to_owned(), process);
    }

    fn with(&self, name: &str, act: impl FnOnce(&ClientProcess) -> anyhow::Result<()>) -> anyhow::Result<()> {
        let running = self.running();
        let process = running.get(name).with_context(|| format!("no command was started as {name}"))?;
        act(process).with_context(|| format!("the command {name}"))
    }

    /// SIGKILL.
    pub fn kill(&self, name: &str) -> anyhow::Result<()> {
        self.with(name, ClientProcess::kill)
    }

    /// SIGTERM.
    pub fn terminate(&self, name: &str) -> anyhow::Result<()> {
        self.with(name, ClientProcess::terminate)
    }

    /// SIGSTOP.
    pub fn pause(&self, name: &str) -> anyhow::Result<()> {
        self.with(name, ClientProcess::pause)
    }

    /// SIGCONT.
    pub fn resume(&self, name: &str) -> anyhow::Result<()> {
        self.with(name, ClientProcess::resume)
    }

    /// How each is.
    pub fn states(&self) -> BTreeMap<String, ClientState> {
        let state = |process: &ClientProcess| match process.state() {
            ProcessState::Running => ClientState::Running,
            ProcessState::Paused => ClientState::Stopped,
            ProcessState::Stopped => ClientState::Ended,
        };
        self.running().iter().map(|(name, process)| (name.clone(), state(process))).collect()
    }

    /// How each ended that has: its exit code (-1: by a signal) and what it printed last.
    pub fn ends(&self) -> Vec<(String, i32, String)> {
        let mut running = self.running();
        let ended = running.iter_mut().filter_map(|(name, process)| {
            let code = process.ended().ok().flatten()?;
            Some((name.clone(), code, process.last_line()))
        });
        ended.collect()
    }
}
