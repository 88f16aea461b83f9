//! Commands that run against a cluster: `ctl` or other programs. Each is a process that can be killed, paused and cut
//! off like any member.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, ensure};
use rustix::process::Signal;
use squall_client::Kubeconfig;

use crate::cluster::Cluster;
use crate::files::write_private;
use crate::process::{ProcessId, ProcessState};

/// A command that is running or has ended. Dropping this kills it.
pub struct ClientProcess {
    child: Child,
    process: ProcessId,
    /// The file with its output.
    output: PathBuf,
}

/// How to start a command.
#[derive(Debug, Clone)]
pub struct ClientCommand {
    /// The program; `None` for `ctl`.
    pub program: Option<PathBuf>,
    /// The arguments of the program.
    pub words: Vec<String>,
    /// The number of the client whose links it uses, if the cluster has links.
    pub slot: usize,
    /// Its working directory.
    pub folder: PathBuf,
    /// The name of its output file in the cluster's `logs` folder.
    pub log: String,
}

impl Cluster {
    /// Starts a command, which finds the cluster by `KUBECONFIG`.
    pub fn start_client(&self, command: &ClientCommand) -> anyhow::Result<ClientProcess> {
        let kubeconfig = self.client_kubeconfig(command.slot)?;
        let output = self.folder().join("logs").join(&command.log);
        let log = File::options().create(true).append(true).open(&output);
        let log = log.with_context(|| format!("opening {}", output.display()))?;
        let program = command.program.clone().unwrap_or_else(|| self.launcher.programs.join("ctl"));
        let child = Command::new(&program)
            .args(&command.words)
            .current_dir(&command.folder)
            .env("KUBECONFIG", kubeconfig)
            // One process group with all processes that it starts itself.
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        let process = ProcessId::of(child.id())?;
        Ok(ClientProcess { child, process, output })
    }

    /// Returns a kubeconfig of the admin that connects over the links of a client, if there are links.
    pub fn client_kubeconfig(&self, slot: usize) -> anyhow::Result<PathBuf> {
        if !self.options().links {
            return Ok(self.kubeconfig());
        }
        let path = self.folder().join(format!("run/client-{slot}.kubeconfig"));
        if !path.exists() {
            let entry = self.linked_client(slot)?;
            write_private(&path, Kubeconfig::of(&entry).to_text().as_bytes())?;
        }
        Ok(path)
    }
}

impl ClientProcess {
    /// Returns the state of the process.
    #[must_use]
    pub fn state(&self) -> ProcessState {
        self.process.state()
    }

    /// Kills the process group: SIGKILL.
    pub fn kill(&self) -> anyhow::Result<()> {
        self.signal(Signal::KILL)
    }

    /// Asks the process group to end: SIGTERM.
    pub fn terminate(&self) -> anyhow::Result<()> {
        self.signal(Signal::TERM)
    }

    /// Freezes the process group: SIGSTOP.
    pub fn pause(&self) -> anyhow::Result<()> {
        self.signal(Signal::STOP)
    }

    /// Resumes the process group: SIGCONT.
    pub fn resume(&self) -> anyhow::Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        ensure!(self.state() != ProcessState::Stopped, "the command has already ended");
        self.process.signal_group(signal)
    }

    /// Returns the exit code once the command has ended; -1 if a signal ended it.
    pub fn ended(&mut self) -> anyhow::Result<Option<i32>> {
        Ok(self.child.try_wait()?.map(|status| status.code().unwrap_or(-1)))
    }

    /// Returns the last line that it printed, blank lines aside.
    #[must_use]
    pub fn last_line(&self) -> String {
        let text = std::fs::read_to_string(&self.output).unwrap_or_default();
        text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it printed nothing").to_owned()
    }
}

impl Drop for ClientProcess {
    fn drop(&mut self) {
        // All processes that it has started end with it. If it has already ended, the error does not matter.
        drop(self.process.signal_group(Signal::KILL));
        drop(self.child.wait());
    }
}
