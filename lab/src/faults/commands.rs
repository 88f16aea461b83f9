//! The background commands of an arm, by name.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use squall_cluster::{ClientCommand, ClientProcess, Cluster, ProcessState};

/// How long to wait for a command to exit, and how often to check.
const PATIENCE: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(10);

/// The background commands. Dropping this ends them.
#[derive(Default)]
pub struct Commands {
    running: Mutex<BTreeMap<String, Running>>,
}

struct Running {
    process: ClientProcess,
    /// How to start it again after a kill; `None` for a user's command, which is not started again.
    again: Option<ClientCommand>,
}

/// The state of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CommandState {
    /// It is running.
    Running,
    /// It stopped itself, or was stopped (SIGSTOP).
    Stopped,
    /// It has ended.
    Ended,
}

impl Commands {
    fn running(&self) -> MutexGuard<'_, BTreeMap<String, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a command; ends a previous one of the same name.
    pub fn add(&self, name: &str, process: ClientProcess, again: Option<ClientCommand>) {
        self.running().insert(name.to_owned(), Running { process, again });
    }

    /// Waits until a command has exited; kills it on timeout.
    pub async fn ended(&self, name: &str) -> anyhow::Result<()> {
        let start = Instant::now();
        while self.states().get(name).is_some_and(|state| *state != CommandState::Ended) {
            if start.elapsed() >= PATIENCE {
                return self.kill(name);
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// Starts a command again if it has exited and is one that can be started again.
    pub fn start_again(&self, name: &str, cluster: &Cluster) -> anyhow::Result<()> {
        let mut running = self.running();
        let Some(ended) = running.get_mut(name) else { return Ok(()) };
        if let Some(command) = ended.again.as_ref().filter(|_| ended.process.state() == ProcessState::Stopped) {
            ended.process = cluster.start_client(command)?;
        }
        Ok(())
    }

    fn with(&self, name: &str, act: impl FnOnce(&ClientProcess) -> anyhow::Result<()>) -> anyhow::Result<()> {
        let running = self.running();
        let found = running.get(name).with_context(|| format!("no command was started as {name}"))?;
        act(&found.process).with_context(|| format!("the command {name}"))
    }

    /// Sends SIGKILL to a command.
    pub fn kill(&self, name: &str) -> anyhow::Result<()> {
        self.with(name, ClientProcess::kill)
    }

    /// Sends SIGTERM to a command.
    pub fn terminate(&self, name: &str) -> anyhow::Result<()> {
        self.with(name, ClientProcess::terminate)
    }

    /// Sends SIGSTOP to a command.
    pub fn pause(&self, name: &str) -> anyhow::Result<()> {
        self.with(name, ClientProcess::pause)
    }

    /// SIGCONT.
    pub fn resume(&self, name: &str) -> anyhow::Result<()> {
        self.with(name, ClientProcess::resume)
    }

    /// Returns the state of each command.
    pub fn states(&self) -> BTreeMap<String, CommandState> {
        let state = |running: &Running| match running.process.state() {
            ProcessState::Running => CommandState::Running,
            ProcessState::Paused => CommandState::Stopped,
            ProcessState::Stopped => CommandState::Ended,
        };
        self.running().iter().map(|(name, running)| (name.clone(), state(running))).collect()
    }

    /// Returns the exit code (-1: by a signal) and the last line of output of each command that has exited.
    pub fn ends(&self) -> Vec<(String, i32, String)> {
        let mut running = self.running();
        let ended = running.iter_mut().filter_map(|(name, running)| {
            let code = running.process.ended().ok().flatten()?;
            Some((name.clone(), code, running.process.last_line()))
        });
        ended.collect()
    }
}
