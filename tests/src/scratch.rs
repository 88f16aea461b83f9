//! A folder in which a test starts and ends its own clusters by command.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::Ctl;
use crate::processes::processes_in;

/// An empty folder. Processes that a failed test leaves running in it are killed.
pub struct Scratch(TempDir);

impl Scratch {
    /// Creates the folder and returns it with `ctl` in it.
    pub fn new() -> anyhow::Result<(Self, Ctl)> {
        let folder = tempfile::tempdir()?;
        let ctl = Ctl::in_folder(folder.path())?;
        Ok((Self(folder), ctl))
    }

    /// Returns the folder's path.
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        for pid in processes_in(self.path()).into_iter().filter_map(Pid::from_raw) {
            // The process may have exited already.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

/// Returns the running members of a cluster and their process ids.
pub async fn running(ctl: &Ctl) -> anyhow::Result<BTreeMap<String, i64>> {
    let status = ctl.run("cluster status -o json").await?;
    let status: Value = serde_json::from_str(&status.stdout)?;
    let members = status["members"].as_array().context("its members")?.iter();
    Ok(members.filter_map(|member| Some((member["name"].as_str()?.to_owned(), member["pid"].as_i64()?))).collect())
}
