//! Commands that run against a cluster, of `ctl` or of somebody's own, each a process that can be killed, frozen and cut off like any other.

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

/// A command that runs, or has run. It is ended when this is dropped.
pub struct ClientProcess {
    child: Child,
    process: ProcessId,
    /// Where what it prints goes.
    output: PathBuf,
}

/// What a command is started with.
#[derive(Debug, Clone)]
pub struct ClientCommand {
    /// The program; `None`: `ctl`.
    pub program: Option<PathBuf>,
    /// What stands after the program's name.
    pub words: Vec<String>,
    /// Over which client's links, if the cluster has links.
    pub slot: usize,
    /// Where it works.
    pub folder: PathBuf,
    /// The name of the file for what it prints, in the cluster's folder of logs.
    pub log: String,
}

impl Cluster {
    /// Starts a command. It finds the cluster by `KUBECONFIG`.
    pub fn start_client(&self, command: &ClientCommand) -> anyhow::Result<ClientProcess> {
        let kubeconfig = self.client_kubeconfig(command.slot)?;
        let output = self.folder().join("logs").join(&command.log);
        let log = File::options().create(true).append(true).open(&output);
        let log = log.with_context(|| format!("opening {}", output.display()))?;
        let program = command.program.clone().unwrap_or_else(|| self.binaries.join("ctl"));
        let child = Command::new(&program)
            .args(&command.words)
            .current_dir(&command.folder)
            .env("KUBECONFIG", kubeconfig)
            // With whatever it starts itself.
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        let process = ProcessId::of(child.id())?;
        Ok(ClientProcess { child, process, output })
    }

    /// A kubeconfig of the admin whose connections go over the links of a client, if there are links.
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
    /// How it is.
    #[must_use]
    pub fn state(&self) -> ProcessState {
        self.process.state()
    }

    /// SIGKILL.
    pub fn kill(&self) -> anyhow::Result<()> {
        self.signal(Signal::KILL)
    }

    /// SIGTERM.
    pub fn terminate(&self) -> anyhow::Result<()> {
        self.signal(Signal::TERM)
    }

    /// SIGSTOP.
    pub fn pause(&self) -> anyhow::Result<()> {
        self.signal(Signal::STOP)
    }

    /// SIGCONT.
    pub fn resume(&self) -> anyhow::Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        ensure!(self.state() != ProcessState::Stopped, "it has ended already");
        self.process.signal_group(signal)
    }

    /// Its exit code, once it has ended; -1 if a signal ended it.
    pub fn ended(&mut self) -> anyhow::Result<Option<i32>> {
        Ok(self.child.try_wait()?.map(|status| status.code().unwrap_or(-1)))
    }

    /// The last line that it printed.
    #[must_use]
    pub fn last_line(&self) -> String {
        let text = std::fs::read_to_string(&self.output).unwrap_or_default();
        text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it printed nothing").to_owned()
    }
}

impl Drop for ClientProcess {
    fn drop(&mut self) {
        // Whatever it has started ends with it; one that has ended cannot be killed, and need not be.
        drop(self.process.signal_group(Signal::KILL));
        drop(self.child.wait());
    }
}
