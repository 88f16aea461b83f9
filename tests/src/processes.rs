//! Finds processes by their working directory, to detect those that a launcher left behind.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};

use crate::holds;
use crate::wait_for;

/// Returns the processes in a folder or below it, whether the folder exists or not.
pub fn processes_in(folder: &Path) -> Vec<i32> {
    // Compare as text: the kernel appends a note to the path of a removed folder.
    let folder = folder.to_string_lossy();
    all().filter(|pid| cwd(*pid).is_some_and(|cwd| cwd.to_string_lossy().starts_with(&*folder))).collect()
}

/// Waits until no process runs in a folder.
pub async fn nothing_runs_in(folder: &Path) -> anyhow::Result<()> {
    let ended = wait_for("all processes to end", || async {
        let left = processes_in(folder);
        holds(left.is_empty(), format!("{left:?} still run"))
    });
    Ok(ended.await?)
}

/// Sends a signal to a process.
pub fn send(pid: Option<u32>, signal: Signal) -> anyhow::Result<()> {
    let pid = pid.and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw).context("it has ended already")?;
    Ok(kill_process(pid, signal)?)
}

/// Limits the size of a process's files: each further write fails, as on a full disk.
pub fn limit_files(pid: i32, bytes: u64) -> anyhow::Result<()> {
    let limit = Rlimit { current: Some(bytes), maximum: Some(bytes) };
    prlimit(Pid::from_raw(pid), Resource::Fsize, limit).context("limiting the files of a process")?;
    Ok(())
}

/// Returns the folder of a launcher's cluster, which is its members' working directory.
pub fn folder_of_cluster(launcher: Option<u32>) -> Option<PathBuf> {
    let launcher = launcher?.to_string();
    let mut members = all().filter(|pid| parent(*pid).as_ref() == Some(&launcher));
    members.find_map(cwd).filter(|cwd| cwd.join("pki").exists())
}

fn all() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn cwd(pid: i32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/cwd")).ok()
}

fn parent(pid: i32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The parent is the second field after the name, which ends with the last bracket.
    stat.rsplit(')').next()?.split_whitespace().nth(1).map(str::to_owned)
}
