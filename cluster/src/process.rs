//! Identifies a process by its pid and start time: a pid alone may have been reused.

use std::fs;

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde::{Deserialize, Serialize};

/// A process that was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessId {
    pid: i32,
    /// In clock ticks since the machine started.
    started: u64,
}

/// The state of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ProcessState {
    /// It is running.
    Running,
    /// It is frozen by a signal (SIGSTOP).
    Paused,
    /// It has ended.
    Stopped,
}

impl ProcessId {
    /// Identifies the process that has this pid now.
    pub fn of(pid: u32) -> anyhow::Result<Self> {
        let pid = i32::try_from(pid).context("converting the pid")?;
        let Some(seen) = look(pid) else { bail!("process {pid} ended immediately") };
        Ok(Self { pid, started: seen.started })
    }

    /// Returns the pid, which may be reused once the process has ended.
    pub fn pid(self) -> i32 {
        self.pid
    }

    /// Returns the current state of the process.
    pub fn state(self) -> ProcessState {
        match look(self.pid) {
            Some(seen) if seen.started == self.started => match seen.state {
                // The first thread is gone, but a thread that waits for the disk still holds the files and ports.
                'Z' if seen.threads > 1 => ProcessState::Running,
                'Z' | 'X' => ProcessState::Stopped,
                'T' | 't' => ProcessState::Paused,
                _ => ProcessState::Running,
            },
            _ => ProcessState::Stopped,
        }
    }

    /// Sends a signal, unless the process has ended.
    pub fn signal(self, signal: Signal) -> anyhow::Result<()> {
        if self.state() == ProcessState::Stopped {
            return Ok(());
        }
        self.send(signal, kill_process)
    }

    /// Sends a signal to the process group that the process leads, unless the process has ended.
    pub fn signal_group(self, signal: Signal) -> anyhow::Result<()> {
        if self.state() == ProcessState::Stopped {
            return Ok(());
        }
        self.send(signal, kill_process_group)
    }

    fn send(self, signal: Signal, kill: fn(Pid, Signal) -> rustix::io::Result<()>) -> anyhow::Result<()> {
        let pid = Pid::from_raw(self.pid).context("converting the pid")?;
        match kill(pid, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => Err(error).with_context(|| format!("signalling process {}", self.pid)),
        }
    }
}

/// The fields of `/proc/PID/stat` that are needed.
struct Seen {
    state: char,
    threads: u32,
    /// In clock ticks since the machine started.
    started: u64,
}

fn look(pid: i32) -> Option<Seen> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name is in brackets and may contain anything.
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
    Some(Seen {
        state: fields.first()?.chars().next()?,
        threads: fields.get(17)?.parse().ok()?,
        started: fields.get(19)?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_process_with_the_same_pid_is_not_the_same() {
        let me = ProcessId::of(std::process::id()).unwrap();
        assert_eq!(me.state(), ProcessState::Running);
        let other = ProcessId { started: me.started + 1, ..me };
        assert_eq!(other.state(), ProcessState::Stopped);
        other.signal(Signal::KILL).unwrap();
    }
}
