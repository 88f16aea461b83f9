//! Processes of this machine, known by their command lines: what a launcher may have left behind.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};

use crate::wait_for;

/// The processes that work in a folder.
pub fn processes_in(folder: &Path) -> Vec<i32> {
    let mentions = |pid: &i32| arguments(*pid).iter().any(|word| Path::new(word).starts_with(folder));
    all().filter(mentions).collect()
}

/// Waits until no process works in a folder.
pub async fn nothing_runs_in(folder: &Path) -> anyhow::Result<()> {
    wait_for("all processes to end", || async {
        let left = processes_in(folder);
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?} still run")) }
    })
    .await
}

/// Sends a signal to a process of ours.
pub fn send(pid: Option<u32>, signal: Signal) -> anyhow::Result<()> {
    let pid = pid.and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw).context("it has ended already")?;
    Ok(kill_process(pid, signal)?)
}

/// The folder of the cluster that a launcher has made: from its first apiserver's data, three folders up.
pub fn folder_of_cluster(launcher: Option<u32>) -> Option<PathBuf> {
    let launcher = launcher?.to_string();
    let data = all().filter(|pid| parent(*pid).as_ref() == Some(&launcher)).find_map(|pid| {
        let mut words = arguments(pid).into_iter();
        words.find(|word| word == "--data-dir").and_then(|_| words.next())
    })?;
    Some(Path::new(&data).ancestors().nth(2)?.to_owned())
}

fn all() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn arguments(pid: i32) -> Vec<String> {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&line).split('\0').map(str::to_owned).collect()
}

fn parent(pid: i32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field after the name, which ends with the last bracket.
    stat.rsplit(')').next()?.split_whitespace().nth(1).map(str::to_owned)
}
