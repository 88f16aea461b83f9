//! Tests the store under faults, for up to a minute; `ctl soak` runs for any length of time.

use rustix::process::Signal;
use serde_json::Value;
use squall_tests::Ctl;
use squall_tests::processes::{folder_of_cluster, nothing_runs_in, send};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::ALONE;

#[tokio::test]
async fn nothing_acknowledged_is_lost() {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let ctl = Ctl::in_folder(folder.path()).unwrap();
    // A different seed each day would find more; this one is repeatable, and the timing varies anyway.
    let output = ctl.run("soak --seed 20 --writes 4000 --faults 20 --writers 8 -o json").await.unwrap();
    assert_eq!(output.code, 0, "{}\n{}", output.stdout, output.stderr);
    let report: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(report["violations"], Value::Array(Vec::new()));
    assert!(report["acknowledged"].as_u64() >= Some(4_000), "{report}");
    assert!(report["reads"].as_u64() > Some(100) && report["watched"].as_u64() > Some(1_000), "{report}");
    let faults = report["faults"].as_array().unwrap();
    let kinds: Vec<&str> = faults.iter().filter_map(|fault| fault[0].as_str()).collect();
    for kind in ["power-cut", "freeze", "kill-two", "cut-off", "reset"] {
        assert!(kinds.contains(&kind), "{kind} is not among {kinds:?}");
    }
}

#[tokio::test]
async fn a_soak_lasts_as_long_as_it_is_told_to() {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let ctl = Ctl::in_folder(folder.path()).unwrap();
    let output = ctl.run("soak --seed 7 --duration 8s --writers 4 -o json").await.unwrap();
    assert_eq!(output.code, 0, "{}\n{}", output.stdout, output.stderr);
    let report: Value = serde_json::from_str(&output.stdout).unwrap();
    assert!(report["seconds"].as_f64() > Some(8.0) && report["acknowledged"].as_u64() > Some(0), "{report}");
    assert!(output.stderr.contains("ctl soak --seed 7 --duration 8s --writers 4"), "{}", output.stderr);
    for wrong in ["soak --duration 25h", "soak --duration 5s --writes 10", "soak --faults 0"] {
        assert_eq!(ctl.run(wrong).await.unwrap().code, 2, "{wrong}");
    }
}

/// The verdict covers the time until then, and no process or file remains.
#[tokio::test]
async fn an_interrupted_soak_gives_its_verdict() {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let ctl = Ctl::in_folder(folder.path()).unwrap();
    let mut soak = ctl.start("soak --seed 9 --duration 1h --writers 4").unwrap();
    let pid = soak.id();
    let mut notes = BufReader::new(soak.stderr.take().unwrap()).lines();
    while !notes.next_line().await.unwrap().unwrap().contains("healed: ") {}
    let cluster = folder_of_cluster(pid).unwrap();
    send(pid, Signal::INT).unwrap();
    let mut said = Vec::new();
    while let Some(note) = notes.next_line().await.unwrap() {
        said.push(note);
    }
    let output = soak.wait_with_output().await.unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && stdout.starts_with("HELD"), "{stdout}\n{said:?}");
    nothing_runs_in(&cluster).await.unwrap();
}
