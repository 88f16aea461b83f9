//! Tests launchers that are interrupted, race each other, or find a half-broken cluster: no process is left running
//! that no command finds, and no healthy process is ended.

use std::fs;

use rustix::process::Signal;
use squall_tests::processes::{folder_of_cluster, nothing_runs_in, processes_in, send};
use squall_tests::{Scratch, running, wait_for};

const UP: &str = "cluster up --detach --apiservers 1 --controller-managers 1 --nodes 1";

#[tokio::test]
async fn two_launchers_at_once_make_one_cluster() {
    let (folder, ctl) = Scratch::new().unwrap();
    let (one, other) = tokio::join!(ctl.run(UP), ctl.run(UP));
    for output in [one.unwrap(), other.unwrap()] {
        assert_eq!(output.code, 0, "{output:?}");
    }
    let mut known: Vec<i32> = running(&ctl).await.unwrap().into_values().map(|pid| pid.try_into().unwrap()).collect();
    let mut running = processes_in(folder.path());
    known.sort_unstable();
    running.sort_unstable();
    assert_eq!(running, known);
    assert_eq!(known.len(), 4);

    // A start that races with a removal gives a cluster or an error, never an unknown process.
    let (down, up) = tokio::join!(ctl.run("cluster down --delete"), ctl.run(UP));
    let (down, up) = (down.unwrap(), up.unwrap());
    assert_eq!(down.code, 0, "{down:?}");
    if folder.path().join(".squall").exists() {
        ctl.succeed("cluster down --delete").await.unwrap();
    }
    assert_eq!(processes_in(folder.path()), [0; 0], "{up:?}");
}

#[tokio::test]
async fn an_up_that_fails_ends_only_what_it_has_started() {
    let (folder, ctl) = Scratch::new().unwrap();
    ctl.succeed(UP).await.unwrap();
    let mut healthy = running(&ctl).await.unwrap();
    ctl.succeed("cluster kill kubelet-0").await.unwrap();
    healthy.remove("kubelet-0");
    fs::remove_file(folder.path().join(".squall/pki/kubelet-0.crt")).unwrap();

    let output = ctl.run(UP).await.unwrap();
    assert_eq!(output.code, 1, "{output:?}");
    assert!(output.stderr.starts_with("error: kubelet-0 ended: "), "{output:?}");
    assert!(!output.stdout.contains("ready"), "{output:?}");
    assert_eq!(running(&ctl).await.unwrap(), healthy);
    ctl.succeed("cluster down").await.unwrap();
    nothing_runs_in(folder.path()).await.unwrap();
}

#[tokio::test]
async fn a_member_that_is_paused_is_not_ready() {
    let (_folder, ctl) = Scratch::new().unwrap();
    ctl.succeed(UP).await.unwrap();
    let before = running(&ctl).await.unwrap();
    for member in ["runtime-0", "controller-manager-0", "apiserver-0"] {
        ctl.succeed(&format!("cluster pause {member}")).await.unwrap();
        let output = ctl.run(UP).await.unwrap();
        assert_eq!(output.code, 1, "{output:?}");
        let hint = format!("error: {member} is paused; resume it with \"ctl cluster resume {member}\"\n");
        assert_eq!(output.stderr, hint);
        assert_eq!(running(&ctl).await.unwrap(), before);
        ctl.succeed(&format!("cluster resume {member}")).await.unwrap();
    }
    ctl.succeed(UP).await.unwrap();
    ctl.succeed("cluster down").await.unwrap();
}

#[tokio::test]
async fn a_signal_before_the_cluster_is_ready_leaves_nothing_running() {
    for (sent, name) in [(Signal::INT, "SIGINT"), (Signal::TERM, "SIGTERM"), (Signal::HUP, "SIGHUP")] {
        let (folder, ctl) = Scratch::new().unwrap();
        let output = loop {
            let launcher = ctl.start("cluster up --detach").unwrap();
            let first = folder.path().join(".squall/members/apiserver-0.json");
            let started = || async { first.exists().then_some(()).ok_or("it is not there") };
            wait_for("the first member", started).await.unwrap();
            send(launcher.id(), sent).unwrap();
            let output = launcher.wait_with_output().await.unwrap();
            if output.status.code() != Some(0) {
                break output;
            }
            // The cluster was ready before the signal.
            ctl.succeed("cluster down --delete").await.unwrap();
        };
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(String::from_utf8(output.stderr).unwrap(), format!("error: interrupted by {name}\n"));
        assert_eq!(processes_in(folder.path()), [0; 0], "after {name}");
        // The next start continues from any state.
        let output = ctl.run("cluster up --detach").await.unwrap();
        assert_eq!(output.code, 0, "after {name}: {output:?}");
        ctl.succeed("cluster down").await.unwrap();
    }
}

#[tokio::test]
async fn a_signal_to_the_demo_leaves_neither_processes_nor_its_folder() {
    let (_folder, ctl) = Scratch::new().unwrap();
    let launcher = ctl.start("demo").unwrap();
    let folder = || async { folder_of_cluster(launcher.id()).ok_or("there is none") };
    let cluster = wait_for("the demo's cluster", folder).await.unwrap();
    send(launcher.id(), Signal::TERM).unwrap();
    let output = launcher.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(!cluster.exists(), "{} is still there", cluster.display());
    assert_eq!(processes_in(&cluster), [0; 0]);
}

#[tokio::test]
async fn processes_that_were_not_written_down_are_found_again() {
    let (folder, ctl) = Scratch::new().unwrap();
    ctl.succeed(UP).await.unwrap();
    let before = running(&ctl).await.unwrap();
    let records = folder.path().join(".squall/members");
    for entry in fs::read_dir(&records).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    ctl.succeed(UP).await.unwrap();
    assert_eq!(running(&ctl).await.unwrap(), before, "each is the member it was");

    for entry in fs::read_dir(&records).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    ctl.succeed("cluster down").await.unwrap();
    nothing_runs_in(folder.path()).await.unwrap();
}

#[tokio::test]
async fn a_cluster_is_known_by_its_folder_and_not_by_the_path() {
    let (folder, ctl) = Scratch::new().unwrap();
    let (moved, copied) = (folder.path().join("moved"), folder.path().join("copied"));
    ctl.succeed(UP).await.unwrap();
    let before = running(&ctl).await.unwrap();
    fs::rename(folder.path().join(".squall"), &moved).unwrap();

    // A new cluster in the old place and a copy of the cluster must not affect its processes.
    ctl.succeed(UP).await.unwrap();
    ctl.succeed("cluster down --delete").await.unwrap();
    let copy = std::process::Command::new("cp").arg("-r").args([&moved, &copied]).status().unwrap();
    assert!(copy.success());
    let output = ctl.run("cluster up --detach --dir copied").await.unwrap();
    assert_eq!(output.code, 1, "{output:?}");
    assert!(output.stderr.contains("Address already in use"), "{output:?}");
    ctl.succeed("cluster down --delete --dir copied").await.unwrap();

    assert_eq!(processes_in(&moved).len(), before.len());
    ctl.succeed("get nodes --kubeconfig moved/kubeconfig").await.unwrap();
    let output = ctl.run("cluster restart kubelet-0 apiserver-0 --dir moved").await.unwrap();
    assert_eq!(output.code, 0, "{output:?}");
    ctl.succeed("cluster up --detach --dir moved").await.unwrap();
    ctl.succeed("cluster down --dir moved").await.unwrap();
    assert_eq!(processes_in(folder.path()), [0; 0]);
}

#[tokio::test]
async fn processes_of_a_folder_that_was_removed_are_ended() {
    let (folder, ctl) = Scratch::new().unwrap();
    let cluster = folder.path().join(".squall");
    for end in ["cluster down", UP] {
        ctl.succeed(UP).await.unwrap();
        let before = processes_in(folder.path());
        fs::remove_dir_all(&cluster).unwrap();
        let output = ctl.run(end).await.unwrap();
        assert_eq!(output.code, 0, "{output:?}");
        assert!(output.stderr.contains("4 processes "), "{output:?}");
        assert!(processes_in(folder.path()).iter().all(|pid| !before.contains(pid)), "after {end}");
    }
    ctl.succeed("cluster down --delete").await.unwrap();
    assert_eq!(processes_in(folder.path()), [0; 0]);
}

#[tokio::test]
async fn down_ends_everything_whatever_the_files_say() {
    let (folder, ctl) = Scratch::new().unwrap();
    let description = folder.path().join(".squall/cluster.json");
    let record = folder.path().join(".squall/members/kubelet-0.json");
    ctl.succeed(UP).await.unwrap();
    let whole = fs::read_to_string(&description).unwrap();

    // A damaged record hides no process.
    let before = running(&ctl).await.unwrap();
    for damaged in ["{", r#"{"process": {"pid": 1, "started": 0}}"#] {
        fs::write(&record, damaged).unwrap();
        assert_eq!(running(&ctl).await.unwrap(), before, "{damaged}");
        ctl.succeed(UP).await.unwrap();
    }
    assert_eq!(processes_in(folder.path()).len(), before.len());

    // This description names fewer members than are running.
    fs::write(&description, whole.replace("\"nodes\": 1", "\"nodes\": 0")).unwrap();
    ctl.succeed("cluster down").await.unwrap();
    assert_eq!(processes_in(folder.path()), [0; 0]);

    // This description names no member.
    fs::write(&description, &whole).unwrap();
    ctl.succeed(UP).await.unwrap();
    fs::write(&description, "{").unwrap();
    let output = ctl.run("cluster down").await.unwrap();
    assert_eq!(output.code, 1, "{output:?}");
    assert!(output.stderr.contains("stopped 4 processes that were running in .squall"), "{output:?}");
    assert!(output.stderr.contains("is damaged"), "{output:?}");
    assert_eq!(processes_in(folder.path()), [0; 0]);
}

#[tokio::test]
async fn a_folder_half_made_is_made_anew() {
    let (folder, ctl) = Scratch::new().unwrap();
    fs::create_dir_all(folder.path().join(".squall/pki")).unwrap();
    // A file of the user's own that has the name of the mark: nothing is removed.
    fs::write(folder.path().join(".squall/unfinished"), "mine").unwrap();
    let refused = ctl.run(UP).await.unwrap();
    assert!(refused.code == 1 && refused.stderr.contains("belongs to no cluster"), "{refused:?}");
    fs::write(folder.path().join(".squall/unfinished"), "ctl is creating a cluster in this folder\n").unwrap();
    ctl.succeed(UP).await.unwrap();
    assert_eq!(ctl.run("cluster down --delete").await.unwrap().stdout, "all members have stopped\nremoved .squall\n");
}
