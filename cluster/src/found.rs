//! Finds the processes of a cluster by their working directory, the cluster's folder. This works even if the folder was
//! moved, and does not match a copy of it. The records in the folder may be outdated, damaged, or another cluster's.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::ensure;
use rustix::process::Signal;
use squall_flags::{NAME, NODE, SOCKET};

use crate::member::{MemberName, Role};
use crate::pause::wait_a_moment;
use crate::process::{ProcessId, ProcessState};

/// How long members may take to end before they are killed.
pub const STOP_PATIENCE: Duration = Duration::from_secs(5);
/// The programs that the members of a cluster run.
const PROGRAMS: [&str; 4] = ["link-proxy", "apiserver", "controller-manager", "kubelet-sim"];
/// The suffix that the kernel adds to the path of a removed folder.
const REMOVED: &str = " (deleted)";

/// A process of one of our programs.
#[derive(Debug, Clone)]
pub struct Found {
    pub process: ProcessId,
    arguments: Vec<String>,
}

impl Found {
    /// Returns the member that it was started as.
    pub fn member(&self) -> Option<MemberName> {
        self.arguments.windows(2).find_map(|pair| member_of(&pair[0], &pair[1]))
    }
}

fn member_of(flag: &str, value: &str) -> Option<MemberName> {
    let of_node = |role, name: &str| Some(MemberName { role, index: name.strip_prefix("node-")?.parse().ok()? });
    match flag.strip_prefix("--")? {
        NAME => value.parse().ok(),
        NODE => of_node(Role::Kubelet, value),
        SOCKET => of_node(Role::Runtime, value.strip_prefix("run/")?.strip_suffix(".sock")?),
        _ => None,
    }
}

/// Returns the processes that work in this folder.
pub fn working_in(folder: &Path) -> Vec<Found> {
    let Some(wanted) = identity(folder) else { return Vec::new() };
    ours(|cwd| identity(cwd) == Some(wanted))
}

/// Returns the processes that work in a removed folder of this path.
pub fn orphans_of(path: &Path) -> Vec<Found> {
    let mut removed = path.as_os_str().to_owned();
    removed.push(REMOVED);
    ours(|cwd| fs::read_link(cwd).is_ok_and(|link| link.as_os_str() == removed))
}

/// Whether a process may work in this folder. True for a process that is ending, whose folder is unknown.
pub fn is_in(process: ProcessId, folder: &Path) -> bool {
    let cwd = identity(&cwd(process.pid()));
    cwd.is_none() || cwd == identity(folder)
}

/// Returns device and inode, because the path may change.
fn identity(folder: &Path) -> Option<(u64, u64)> {
    fs::metadata(folder).ok().map(|data| (data.dev(), data.ino()))
}

fn cwd(pid: i32) -> PathBuf {
    format!("/proc/{pid}/cwd").into()
}

/// Returns the processes of our programs for whose working directory (a link) `is_wanted` returns true.
fn ours(is_wanted: impl Fn(&Path) -> bool) -> Vec<Found> {
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(|pid| {
        let arguments = arguments(pid).filter(|arguments| is_program(arguments))?;
        let is_wanted = is_wanted(&cwd(i32::try_from(pid).ok()?));
        let found = is_wanted.then_some(Found { process: ProcessId::of(pid).ok()?, arguments });
        // The same programs also run short commands for snapshots and images.
        found.filter(|found| found.member().is_some())
    })
    .collect()
}

fn arguments(pid: u32) -> Option<Vec<String>> {
    let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    Some(line.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect())
}

fn is_program(arguments: &[String]) -> bool {
    let program = arguments.first().map(|program| Path::new(OsStr::from_bytes(program.as_bytes())));
    let name = program.and_then(Path::file_name).and_then(OsStr::to_str);
    name.is_some_and(|name| PROGRAMS.contains(&name))
}

/// Ends these processes: sends SIGTERM first, and kills those that do not end in time.
pub fn end(processes: &[ProcessId]) -> anyhow::Result<()> {
    // Signal all of them, even if one of them fails.
    let signalled: Vec<_> =
        processes.iter().map(|process| process.signal(Signal::CONT).and(process.signal(Signal::TERM))).collect();
    signalled.into_iter().collect::<anyhow::Result<()>>()?;
    let start = Instant::now();
    loop {
        let left: Vec<i32> = processes
            .iter()
            .filter(|process| process.state() != ProcessState::Stopped)
            .map(|process| process.pid())
            .collect();
        if left.is_empty() {
            return Ok(());
        }
        ensure!(start.elapsed() < 2 * STOP_PATIENCE, "the processes {left:?} did not end after SIGKILL");
        if start.elapsed() > STOP_PATIENCE {
            processes.iter().try_for_each(|process| process.signal(Signal::KILL))?;
        }
        wait_a_moment();
    }
}

/// Ends all member processes in a folder, or in a removed folder of this path, without reading the description. Returns
/// how many.
pub fn end_all_in(folder: &Path) -> anyhow::Result<usize> {
    end_found(working_in(folder).into_iter().chain(orphans_of(&lasting(folder))))
}

/// Ends all member processes in a removed folder of this path. Returns how many.
pub fn end_orphans_of(folder: &Path) -> anyhow::Result<usize> {
    end_found(orphans_of(&lasting(folder)).into_iter())
}

fn end_found(found: impl Iterator<Item = Found>) -> anyhow::Result<usize> {
    let processes: Vec<ProcessId> = found.map(|found| found.process).collect();
    end(&processes)?;
    Ok(processes.len())
}

/// Returns the path of a folder, which may not exist, as the kernel would show it.
fn lasting(folder: &Path) -> PathBuf {
    let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    match (absolute.parent().and_then(|parent| parent.canonicalize().ok()), absolute.file_name()) {
        (Some(parent), Some(name)) => parent.join(name),
        _ => absolute,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_known_by_their_flags() {
        let name = |flag, value| member_of(flag, value).map(|member| member.to_string());
        assert_eq!(name("--name", "apiserver-2").as_deref(), Some("apiserver-2"));
        assert_eq!(name("--name", "controller-manager-0").as_deref(), Some("controller-manager-0"));
        assert_eq!(name("--node", "node-1").as_deref(), Some("kubelet-1"));
        assert_eq!(name("--socket", "run/node-3.sock").as_deref(), Some("runtime-3"));
        assert_eq!(name("--runtime", "run/node-3.sock"), None);
        assert_eq!(name("--node", "other"), None);
    }

    #[test]
    fn only_our_programs_count() {
        let is = |program: &str| is_program(&[program.to_owned(), "serve".to_owned()]);
        assert!(is("/bin/apiserver") && is("kubelet-sim"));
        assert!(!is("/bin/tail") && !is(""));
        assert!(!is_program(&[]));
    }

    #[test]
    fn a_folder_that_is_gone_has_a_path_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let gone = folder.path().join("gone");
        assert_eq!(lasting(&gone), folder.path().canonicalize().unwrap().join("gone"));
    }
}
