//! Tests the crash lab as a user runs it: scenarios pass, and fail without the protection that they test; faults are
//! injected by hand; reports are readable.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test ends where it fails, and says what it skips"
)]

use serde_json::Value;
use squall_lab::scenario::built_in;
use squall_tests::{Ctl, Output, Scratch};

use crate::ALONE;

/// A client that reads old state notices it by a key that it reads again, or by a counter: either comes first.
const STALE_READ: &str = "a read of";

/// Every scenario, and the finding when its protection is left out: one of these.
const SCENARIOS: [(&str, &str); 18] = [
    ("controller-killed", "with the same template"),
    ("controller-paused", "no leader writes after another has been elected"),
    ("held-watch", "a ReplicaSet never creates more pods than desired"),
    ("raft-leader-paused", STALE_READ),
    ("late-endpoints", "expected that 0 requests have failed"),
    ("clock-skew", "a pod is available only after it has been ready for minReadySeconds"),
    ("client-interrupted", "a rollout never removes pods it needs"),
    ("client-interrupted-every-step", "a rollout never removes pods it needs"),
    ("lagging-apiserver", "a ReplicaSet never creates more pods than desired"),
    ("late-successor", "a ReplicaSet never creates more pods than desired"),
    ("leader-isolated", STALE_READ),
    ("quorum-lost", "acknowledged|a read of"),
    ("node-isolated", "was removed, but something answers"),
    ("nodes-apart", "requests have failed"),
    ("deaf-node", "a rollout never removes pods it needs"),
    ("bad-version", "luksa/kubia:v3"),
    ("user-storm", "acknowledged counter steps are left"),
    // Reads go back in time, or acknowledged writes are lost.
    ("disk-trouble", ""),
];

/// Number of scenarios, from the first on, that are fast enough for every run of the tests.
const FAST: usize = 6;

/// How many runs a scenario gets to be conclusive, and a mutant until one must fail.
const TRIES: usize = 3;
/// The exit code of a run that proves nothing.
const INCONCLUSIVE: i32 = 4;

fn outcome(output: &Output) -> (String, String) {
    let records: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("no JSON: {output:?}"));
    let verdict = &records[0]["verdict"];
    let reasons = verdict["reasons"].as_array().unwrap();
    let reasons: Vec<&str> = reasons.iter().filter_map(|reason| reason["text"].as_str()).collect();
    (verdict["outcome"].as_str().unwrap().to_owned(), reasons.join("\n"))
}

#[tokio::test]
async fn the_chapters_point_takes_one_command() {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let ctl = Ctl::in_folder(folder.path()).unwrap();
    let output = ctl.run("chaos run client-interrupted --report out.html --junit out.xml -o json").await.unwrap();
    assert_eq!((output.code, outcome(&output)), (0, ("pass".to_owned(), String::new())), "{}", output.stderr);
    let record: Value = serde_json::from_str(&output.stdout).unwrap();
    let arms = record[0]["arms"].as_array().unwrap();
    assert_eq!(arms.len(), 4);
    assert!(arms.iter().all(|arm| arm["requests"]["answered"]["v2"].as_u64() > Some(100)), "{arms:?}");
    let html = std::fs::read_to_string(folder.path().join("out.html")).unwrap();
    assert_eq!(html.matches("<svg").count(), 4);
    for outside in ["<script", "<link", "src=", "url(", "href=\"http"] {
        assert!(!html.contains(outside), "the report needs {outside}");
    }
    let xml = std::fs::read_to_string(folder.path().join("out.xml")).unwrap();
    assert!(xml.contains("tests=\"1\" failures=\"0\" errors=\"0\""), "{xml}");
    seen_in_a_browser(&ctl, folder.path()).await;
}

/// Opens a report in a browser, in both color schemes.
async fn seen_in_a_browser(ctl: &Ctl, folder: &std::path::Path) {
    let shell = ctl.shell(&folder.join("none"));
    if shell.run("command -v chromium").await.unwrap().code != 0 {
        eprintln!("skipped: the report is not opened in a browser, chromium is not installed here");
        return;
    }
    let browser = "chromium --headless --no-sandbox --disable-gpu --user-data-dir=browser --window-size=1300,1400";
    let page = format!("file://{}/out.html", folder.display());
    for (name, flag) in [("light", ""), ("dark", "--blink-settings=preferredColorScheme=0")] {
        let seen = shell.run(&format!("{browser} {flag} --screenshot={name}.png {page}")).await.unwrap();
        assert_eq!(seen.code, 0, "{seen:?}");
        // An empty page has only a few thousand bytes.
        let bytes = std::fs::metadata(folder.join(format!("{name}.png"))).unwrap().len();
        assert!(bytes > 40_000, "the picture has {bytes} bytes only");
    }
    let dom = shell.run(&format!("{browser} --dump-dom {page}")).await.unwrap();
    for part in ["<title>client-interrupted: PASS</title>", "Faults and their receipts", "declarative-cut-off"] {
        assert!(dom.stdout.contains(part), "{part} is not in the page");
    }
}

/// Plays a scenario, which must pass, and again without its protection, until it fails for the right reason. Returns the
/// number of runs that this took, and the first reason.
async fn play(ctl: &Ctl, scenario: &str, finding: &str) -> Result<(usize, String), String> {
    let mut whole = ctl.run(&format!("chaos run {scenario} -o json")).await.unwrap();
    for _ in 1..TRIES {
        // A fault that found nothing to break proves nothing, in either direction.
        if whole.code == INCONCLUSIVE {
            whole = ctl.run(&format!("chaos run {scenario} -o json")).await.unwrap();
        }
    }
    let (word, reasons) = outcome(&whole);
    if (whole.code, word.as_str()) != (0, "pass") {
        return Err(format!("{word}: {reasons}"));
    }
    // A protection matters only when events coincide badly, which does not happen in each run.
    for tries in 1..=TRIES {
        let mutant = ctl.run(&format!("chaos run {scenario} --mutant own -o json")).await.unwrap();
        let (word, reasons) = outcome(&mutant);
        match (mutant.code, word.as_str()) {
            (0, "pass") | (INCONCLUSIVE, _) => {}
            (1, "fail") if finding.split('|').any(|finding| reasons.contains(finding)) => {
                return Ok((tries, reasons.lines().next().unwrap_or_default().to_owned()));
            }
            _ => return Err(format!("without its protection, not {finding:?} but {word}: {reasons}")),
        }
    }
    Err(format!("did not fail in {TRIES} runs without its protection"))
}

#[tokio::test]
async fn fast_scenarios_pass_and_fail_without_their_protection() {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let ctl = Ctl::in_folder(folder.path()).unwrap();
    for (scenario, finding) in &SCENARIOS[..FAST] {
        if let Err(reason) = play(&ctl, scenario, finding).await {
            panic!("{scenario}: {reason}");
        }
    }
}

/// `./check full` runs this one. It prints the rows of a table.
#[tokio::test]
#[ignore = "takes minutes; ./check full runs it"]
async fn every_scenario_passes_and_fails_without_its_protection() {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let ctl = Ctl::in_folder(folder.path()).unwrap();
    let mut failed = Vec::new();
    eprintln!(
        "| scenario | with its protection | runs until it failed without | the first reason | time |\n| --- | --- | --- | --- | --- |"
    );
    for (scenario, finding) in SCENARIOS {
        let begun = std::time::Instant::now();
        let played = play(&ctl, scenario, finding).await;
        let told = match &played {
            Ok((tries, reason)) => format!("passed | {tries} | {reason}"),
            Err(reason) => format!("**not so** | | {}", reason.replace('\n', "; ")),
        };
        eprintln!("| `{scenario}` | {told} | {:.0} s |", begun.elapsed().as_secs_f64());
        failed.extend(played.err().map(|_| scenario));
    }
    assert!(failed.is_empty(), "{failed:?}");
}

#[test]
fn the_list_has_every_scenario() {
    let mut listed: Vec<&str> = SCENARIOS.iter().map(|(name, _)| *name).collect();
    let mut built_in: Vec<&str> = built_in::names().collect();
    listed.sort_unstable();
    built_in.sort_unstable();
    assert_eq!(listed, built_in);
}

/// A user's own controller is killed together with its children, started again, and cut off.
const OWN: &str = "
name: own
title: The user's own controller is killed and cut off
explain: It must bring the Deployment back to three pods, whatever happens to it.
arms:
- name: work
  steps:
  - ctl: create deployment web --image=luksa/kubia:v1 --replicas=1
  - run: ./controller
    as: mine
  - await: {pods: {active: 3, ready: 3}}
  - fault: {kill: command mine}
    name: killed
  - ctl: scale deployment web --replicas=1
  - await: {pods: {active: 1}}
  - heal: killed
  - await: {pods: {active: 3, ready: 3}}
  - fault: {cut: {from: client}}
    for: 2s
  - rest: 3s
  expect:
  - that: {pods: {active: 3, ready: 3}}
";

#[tokio::test]
async fn a_program_of_ones_own_is_one_more_member() {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let ctl = Ctl::in_folder(folder.path()).unwrap();
    let scale = format!("{} scale deployment web -n work --replicas=3 --request-timeout=1s", ctl.program().display());
    let script = folder.path().join("controller");
    std::fs::write(&script, format!("#!/bin/sh\nwhile true; do {scale}; done\n")).unwrap();
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::write(folder.path().join("own.yaml"), OWN).unwrap();
    let output = ctl.run("chaos run own.yaml -o json").await.unwrap();
    assert_eq!((output.code, outcome(&output)), (0, ("pass".to_owned(), String::new())), "{}", output.stderr);
}

#[tokio::test]
async fn what_a_seed_draws_is_played_again() {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let ctl = Ctl::in_folder(folder.path()).unwrap();
    let mut faults = Vec::new();
    for _ in 0..2 {
        let output = ctl.run("chaos random --seed 11 --duration 6s -o json").await.unwrap();
        let (word, reasons) = outcome(&output);
        assert_ne!(word, "fail", "{reasons}");
        let record: Value = serde_json::from_str(&output.stdout).unwrap();
        let mut names: Vec<String> =
            record[0]["faults"].as_array().unwrap().iter().map(|fault| fault["text"].to_string()).collect();
        names.sort();
        faults.push(names);
    }
    assert!(faults[0].len() >= 2, "{faults:?}");
    assert_eq!(faults[0], faults[1]);
}

#[tokio::test]
async fn a_cluster_is_broken_by_hand() {
    let (_scratch, ctl) = Scratch::new().unwrap();
    let up = ctl.run("cluster up --detach --links --apiservers 1 --controller-managers 1 --nodes 1").await.unwrap();
    assert_eq!(up.code, 0, "{up:?}");
    assert_eq!(ctl.run("fault list").await.unwrap().stdout, "no faults are in force\n");
    let cut = ctl.run("fault cut client any").await.unwrap();
    assert_eq!((cut.code, cut.stdout.as_str()), (0, "cut-1: cut client ↔ any\n"), "{cut:?}");
    let linked = "--kubeconfig .squall/run/client-0.kubeconfig --request-timeout=1s get ns";
    let refused = ctl.run(linked).await.unwrap();
    assert!(refused.code == 1 && refused.stderr.starts_with("Unable to connect"), "{refused:?}");
    // The admin is not cut off.
    ctl.succeed("get ns").await.unwrap();
    for command in ["clock kubelet-0 -1h", "hold controller-manager-0 --kind Pod", "disk apiserver-0 --sync 5ms"] {
        let done = ctl.run(&format!("fault {command}")).await.unwrap();
        assert_eq!(done.code, 0, "{command}: {done:?}");
    }
    ctl.succeed("fault pause kubelet-0").await.unwrap();
    let list = ctl.run("fault list -o json").await.unwrap();
    let list: Value = serde_json::from_str(&list.stdout).unwrap();
    let names: Vec<&str> = list.as_array().unwrap().iter().filter_map(|fault| fault["name"].as_str()).collect();
    // A frozen process cannot be asked for its faults.
    assert_eq!(names, ["cut-1/0", "disk-1", "hold-1", "kubelet-0"]);
    let healed = ctl.run("fault heal cut-1").await.unwrap();
    assert!(healed.stdout.contains("connections kept waiting"), "{healed:?}");
    ctl.succeed(linked).await.unwrap();
    ctl.succeed("fault kill controller-manager-0").await.unwrap();
    for _ in 0..2 {
        // The second run finds faults of a process that has resumed and can answer again.
        ctl.succeed("fault heal --all").await.unwrap();
    }
    assert_eq!(ctl.run("fault list").await.unwrap().stdout, "no faults are in force\n");
    let down = ctl.run("cluster down --delete").await.unwrap();
    assert_eq!(down.code, 0, "{down:?}");
}

#[tokio::test]
async fn nodes_are_cut_off_by_hand_and_writes_are_logged() {
    let (scratch, ctl) = Scratch::new().unwrap();
    let shape = "--links --write-log --apiservers 1 --controller-managers 1 --nodes 1";
    let up = ctl.run(&format!("cluster up --detach {shape}")).await.unwrap();
    assert_eq!(up.code, 0, "{up:?}");
    for command in ["create deployment kubia --image=luksa/kubia:v1", "rollout status deployment kubia"] {
        let done = ctl.run(command).await.unwrap();
        assert_eq!(done.code, 0, "{done:?}");
    }
    let logs = "logs deployment/kubia --request-timeout=2s";
    let told = ctl.run(logs).await.unwrap();
    assert!(told.code == 0 && told.stdout.contains("luksa/kubia:v1 listens"), "{told:?}");
    ctl.succeed("fault cut apiservers node-0 --one-way --reset").await.unwrap();
    let refused = ctl.run(logs).await.unwrap();
    assert_eq!((refused.code, refused.stdout.as_str()), (1, ""), "{refused:?}");
    let healed = ctl.run("fault heal --all").await.unwrap();
    assert!(
        healed.stdout.contains("apiserver-0 → kubelet-0") && healed.stdout.contains("connections broken off"),
        "{healed:?}"
    );
    assert_eq!(ctl.run(logs).await.unwrap().stdout, told.stdout);
    let writes = std::fs::read_to_string(scratch.path().join(".squall/logs/apiserver-0.writes")).unwrap();
    let first = writes.lines().find(|line| line.contains("deployments.apps/default/kubia")).unwrap();
    let first: Value = serde_json::from_str(first).unwrap();
    assert_eq!((&first["user"], &first["elected"]), (&Value::from("admin"), &Value::Null), "{first}");
    let by_controllers = |line: &str| line.contains("pods/default/kubia-") && line.contains("controller-manager-0");
    assert!(writes.lines().any(by_controllers), "{writes}");
    let down = ctl.run("cluster down --delete").await.unwrap();
    assert_eq!(down.code, 0, "{down:?}");
}

#[tokio::test]
async fn what_is_wrong_with_a_scenario_or_a_fault_is_told() {
    let (scratch, ctl) = Scratch::new().unwrap();
    let text = "name: x\ntitle: x\nexplain: x\narms:\n- name: a\n  steps:\n  - fault: {kill: the-moon}\n";
    std::fs::write(scratch.path().join("bad.yaml"), text).unwrap();
    let bad = ctl.run("chaos run bad.yaml").await.unwrap();
    assert_eq!(bad.code, 2);
    assert!(bad.stderr.starts_with("error: bad.yaml:7:") && bad.stderr.contains("unknown victim"), "{bad:?}");
    let unknown = ctl.run("chaos run nosuch").await.unwrap();
    assert!(unknown.code == 2 && unknown.stderr.contains("no scenario and no file is named \"nosuch\""), "{unknown:?}");
    let nobody = ctl.run("fault kill the-moon").await.unwrap();
    assert!(nobody.code == 1 && nobody.stderr.contains("unknown victim"), "{nobody:?}");
    let nowhere = ctl.run("fault list").await.unwrap();
    assert!(nowhere.code == 1 && nowhere.stderr.contains("there is no cluster"), "{nowhere:?}");
    let explained = ctl.run("chaos explain client-interrupted").await.unwrap();
    assert!(
        explained.stdout.contains("kill command updater") && explained.stdout.contains("no-floor"),
        "{explained:?}"
    );
}
