//! The commands that run beside an arm's steps, by name.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use squall_cluster::{ClientCommand, ClientProcess, Cluster, ProcessState};

use crate::scenario::ClientState;

/// How long a command that is asked to end may take, and how often it is looked at.
const PATIENCE: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(10);

/// All of them. They are ended when this is dropped.
#[derive(Default)]
pub struct Commands {
    running: Mutex<BTreeMap<String, Running>>,
}

struct Running {
    process: ClientProcess,
    /// How to start it again when it was killed; `None`: a command of a user, which nobody would start again.
    again: Option<ClientCommand>,
}

impl Commands {
    fn running(&self) -> MutexGuard<'_, BTreeMap<String, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more; one of the same name is ended.
    pub fn add(&self, name: &str, process: ClientProcess, again: Option<ClientCommand>) {
        self.running().insert(name.to_owned(), Running { process, again });
    }

    /// Waits until it has ended; one that does not is killed.
    pub async fn ended(&self, name: &str) -> anyhow::Result<()> {
        let start = Instant::now();
        while self.states().get(name).is_some_and(|state| *state != ClientState::Ended) {
            if start.elapsed() >= PATIENCE {
                return self.kill(name);
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// Starts it again, if it has ended and is one of those that are.
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
        let state = |running: &Running| match running.process.state() {
            ProcessState::Running => ClientState::Running,
            ProcessState::Paused => ClientState::Stopped,
            ProcessState::Stopped => ClientState::Ended,
        };
        self.running().iter().map(|(name, running)| (name.clone(), state(running))).collect()
    }

    /// How each ended that has: its exit code (-1: by a signal) and what it printed last.
    pub fn ends(&self) -> Vec<(String, i32, String)> {
        let mut running = self.running();
        let ended = running.iter_mut().filter_map(|(name, running)| {
            let code = running.process.ended().ok().flatten()?;
            Some((name.clone(), code, running.process.last_line()))
        });
        ended.collect()
    }
}
