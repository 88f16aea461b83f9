//! Launchers that are interrupted, that race each other, or that find a cluster half broken: nothing is left running that
//! no command finds again, and nothing healthy is ended.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use squall_tests::{Ctl, wait_for};
use tempfile::TempDir;
use tokio::process::Child;

const UP: &str = "cluster up --detach --apiservers 1 --controller-managers 1 --nodes 1";

/// A folder for a cluster; what a test that fails leaves running there is ended with it.
struct Scratch(TempDir);

impl Scratch {
    fn new() -> (Self, Ctl) {
        let folder = tempfile::tempdir().unwrap();
        let ctl = Ctl::in_folder(folder.path()).unwrap();
        (Self(folder), ctl)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        for pid in processes_in(self.path()) {
            // It may have ended by itself.
            let _ = kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL);
        }
    }
}

/// The processes that work in a folder, by their command lines.
fn processes_in(folder: &Path) -> Vec<i32> {
    let folder = folder.to_str().unwrap();
    let mentions = |pid: &i32| {
        fs::read(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|line| String::from_utf8_lossy(&line).split('\0').any(|word| word.starts_with(folder)))
    };
    all_pids().filter(mentions).collect()
}

fn all_pids() -> impl Iterator<Item = i32> {
    fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok())
}

fn signal(launcher: &Child, signal: Signal) {
    let pid = i32::try_from(launcher.id().unwrap()).unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}

/// What runs, by member.
async fn pids(ctl: &Ctl) -> BTreeMap<String, i64> {
    let status = ctl.run("cluster status -o json").await.unwrap();
    let status: Value = serde_json::from_str(&status.stdout).unwrap();
    let members = status["members"].as_array().unwrap().iter();
    members.filter_map(|member| Some((member["name"].as_str()?.to_owned(), member["pid"].as_i64()?))).collect()
}

async fn nothing_runs_in(folder: &Path) {
    wait_for("all processes to end", || async {
        let left = processes_in(folder);
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?} still run")) }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn two_launchers_at_once_make_one_cluster() {
    let (folder, ctl) = Scratch::new();
    let (one, other) = tokio::join!(ctl.run(UP), ctl.run(UP));
    for output in [one.unwrap(), other.unwrap()] {
        assert_eq!(output.code, 0, "{output:?}");
    }
    let mut known: Vec<i32> = pids(&ctl).await.into_values().map(|pid| pid.try_into().unwrap()).collect();
    let mut running = processes_in(folder.path());
    known.sort_unstable();
    running.sort_unstable();
    assert_eq!(running, known);
    assert_eq!(known.len(), 4);

    // One who brings it up while another takes it away gets a cluster, or an error; never a process that nobody knows.
    let (down, up) = tokio::join!(ctl.run("cluster down --delete"), ctl.run(UP));
    let (down, up) = (down.unwrap(), up.unwrap());
    assert_eq!(down.code, 0, "{down:?}");
    if folder.path().join(".squall").exists() {
        assert_eq!(ctl.run("cluster down --delete").await.unwrap().code, 0, "{up:?}");
    }
    assert_eq!(processes_in(folder.path()), [0; 0], "{up:?}");
}

#[tokio::test]
async fn an_up_that_fails_ends_only_what_it_has_started() {
    let (folder, ctl) = Scratch::new();
    assert_eq!(ctl.run(UP).await.unwrap().code, 0);
    let mut healthy = pids(&ctl).await;
    assert_eq!(ctl.run("cluster kill kubelet-0").await.unwrap().code, 0);
    healthy.remove("kubelet-0");
    fs::remove_file(folder.path().join(".squall/pki/kubelet-0.crt")).unwrap();

    let output = ctl.run(UP).await.unwrap();
    assert_eq!(output.code, 1, "{output:?}");
    assert!(output.stderr.starts_with("error: kubelet-0 ended: "), "{output:?}");
    assert!(!output.stdout.contains("ready"), "{output:?}");
    assert_eq!(pids(&ctl).await, healthy);
    assert_eq!(ctl.run("cluster down").await.unwrap().code, 0);
    nothing_runs_in(folder.path()).await;
}

#[tokio::test]
async fn a_member_that_is_paused_is_not_ready() {
    let (_folder, ctl) = Scratch::new();
    assert_eq!(ctl.run(UP).await.unwrap().code, 0);
    let before = pids(&ctl).await;
    for member in ["runtime-0", "controller-manager-0", "apiserver-0"] {
        assert_eq!(ctl.run(&format!("cluster pause {member}")).await.unwrap().code, 0);
        let output = ctl.run(UP).await.unwrap();
        assert_eq!(output.code, 1, "{output:?}");
        let hint = format!("error: {member} is paused; let it go on with \"ctl cluster resume {member}\"\n");
        assert_eq!(output.stderr, hint);
        assert_eq!(pids(&ctl).await, before);
        assert_eq!(ctl.run(&format!("cluster resume {member}")).await.unwrap().code, 0);
    }
    assert_eq!(ctl.run(UP).await.unwrap().code, 0);
    assert_eq!(ctl.run("cluster down").await.unwrap().code, 0);
}

#[tokio::test]
async fn a_signal_before_the_cluster_is_ready_leaves_nothing_running() {
    for (sent, name) in [(Signal::INT, "SIGINT"), (Signal::TERM, "SIGTERM"), (Signal::HUP, "SIGHUP")] {
        let (folder, ctl) = Scratch::new();
        let output = loop {
            let launcher = ctl.start("cluster up --detach").unwrap();
            let first = folder.path().join(".squall/members/apiserver-0.json");
            let started = || async { first.exists().then_some(()).ok_or("it is not there") };
            wait_for("the first member", started).await.unwrap();
            signal(&launcher, sent);
            let output = launcher.wait_with_output().await.unwrap();
            if output.status.code() != Some(0) {
                break output;
            }
            // The cluster was faster.
            assert_eq!(ctl.run("cluster down --delete").await.unwrap().code, 0);
        };
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(String::from_utf8(output.stderr).unwrap(), format!("error: interrupted by {name}\n"));
        assert_eq!(processes_in(folder.path()), [0; 0], "after {name}");
    }
}

#[tokio::test]
async fn a_signal_to_the_demo_leaves_neither_processes_nor_its_folder() {
    let (_folder, ctl) = Scratch::new();
    let launcher = ctl.start("demo").unwrap();
    let id = launcher.id().unwrap();
    let folder = || async { demo_folder(id).ok_or("there is none") };
    let cluster = wait_for("the demo's cluster", folder).await.unwrap();
    signal(&launcher, Signal::TERM);
    let output = launcher.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(!cluster.exists(), "{} is still there", cluster.display());
    assert_eq!(processes_in(&cluster), [0; 0]);
}

/// Where the data of the demo's first apiserver is, three folders up.
fn demo_folder(launcher: u32) -> Option<PathBuf> {
    let is_child = |pid: &i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // The parent is the second field after the name, which ends with the last bracket.
        let parent = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1));
        parent == Some(&launcher.to_string())
    };
    let data = all_pids().filter(is_child).find_map(|pid| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let line = String::from_utf8(line).ok()?;
        let mut words = line.split('\0');
        words.find(|word| *word == "--data-dir").and_then(|_| words.next()).map(PathBuf::from)
    })?;
    Some(data.ancestors().nth(2)?.to_owned())
}

#[tokio::test]
async fn processes_that_were_not_written_down_are_found_again() {
    let (folder, ctl) = Scratch::new();
    assert_eq!(ctl.run(UP).await.unwrap().code, 0);
    let before = pids(&ctl).await;
    let records = folder.path().join(".squall/members");
    for entry in fs::read_dir(&records).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    assert_eq!(ctl.run(UP).await.unwrap().code, 0);
    assert_eq!(pids(&ctl).await, before, "each is the member it was");

    for entry in fs::read_dir(&records).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    assert_eq!(ctl.run("cluster down").await.unwrap().code, 0);
    nothing_runs_in(folder.path()).await;
}
