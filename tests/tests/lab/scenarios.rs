//! Tests what users write: scenarios that show an outage, and the reason that the verdict gives.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends where it fails")]

use std::time::Instant;

use serde_json::Value;
use squall_tests::{Ctl, Output};
use tempfile::TempDir;

use crate::ALONE;

/// A Deployment and its service, for the scenarios below: `{app}` stands for the Deployment's spec.
fn app(spec: &str) -> String {
    format!(
        "  - apply:
    - apiVersion: v1
      kind: Service
      metadata: {{name: web}}
      spec: {{type: NodePort, selector: {{app: web, tier: front}}, ports: [{{port: 80, targetPort: 8080}}]}}
    - apiVersion: apps/v1
      kind: Deployment
      metadata: {{name: web}}
      spec: {spec}
  - await: {{rolledOut: {{deployment: web}}}}
  - load: {{service: web}}
"
    )
}

fn spec(replicas: u32, strategy: &str, pod: &str) -> String {
    format!(
        "{{replicas: {replicas}, selector: {{matchLabels: {{app: web}}}}, strategy: {strategy}, template: {{
        metadata: {{labels: {{app: web, tier: front}}}}, spec: {pod}}}}}"
    )
}

fn pod(image: &str, more: &str) -> String {
    format!("{{containers: [{{name: app, image: \"{image}\"{more}}}]}}")
}

const IMAGES: &str = r#"images:
- {name: "web:v1", answer: {status: 200, body: "This is v1 running in pod {pod}\n"}}
- {name: "web:v2", answer: {status: 200, body: "This is v2 running in pod {pod}\n"}}
- {name: "web:slow", startTime: 5s, answer: {status: 200, body: "This is slow running in pod {pod}\n"}}
"#;

fn scenario(steps: &str, expect: &str) -> String {
    format!(
        "name: mine\ntitle: A scenario of a user\nexplain: It shows what it shows.\n{IMAGES}arms:\n- name: arm\n  \
         steps:\n{steps}{expect}"
    )
}

struct Run {
    outcome: String,
    reasons: String,
    output: Output,
    _folder: TempDir,
}

async fn run(text: &str) -> Run {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("mine.yaml"), text).unwrap();
    let ctl = Ctl::in_folder(folder.path()).unwrap();
    let output = ctl.run("chaos run mine.yaml -o json").await.unwrap();
    let records: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("no JSON: {output:?}\n{text}"));
    let verdict = &records[0]["verdict"];
    let reasons = verdict["reasons"].as_array().unwrap().iter();
    let reasons: Vec<&str> = reasons.filter_map(|reason| reason["text"].as_str()).collect();
    let (outcome, reasons) = (verdict["outcome"].as_str().unwrap().to_owned(), reasons.join("\n"));
    Run { outcome, reasons, output, _folder: folder }
}

fn assert_says(run: &Run, outcome: &str, parts: &[&str]) {
    assert_eq!(run.outcome, outcome, "{}\n{}", run.reasons, run.output.stderr);
    for part in parts {
        assert!(run.reasons.contains(part), "no {part:?} in:\n{}", run.reasons);
    }
}

/// Nobody asked for a number of failed requests: without a ready pod, it is no pass all the same.
#[tokio::test]
async fn a_rollout_without_a_surge_of_one_replica_is_degraded() {
    let _alone = ALONE.lock().await;
    let strategy = "{rollingUpdate: {maxSurge: 0, maxUnavailable: 1}}";
    let steps = app(&spec(1, strategy, &pod("web:v1", "")))
        + "  - ctl: set image deployment web app=web:v2\n  - await: {rolledOut: {deployment: web, image: \"web:v2\"}}\n";
    let run = run(&scenario(&steps, "")).await;
    assert_says(&run, "degraded", &["web had no ready endpoint", "charged to the step \"ctl set image deployment web"]);
    assert_eq!(run.output.code, 3);
}

#[tokio::test]
async fn two_drains_without_a_budget_are_charged_to_the_drains() {
    let _alone = ALONE.lock().await;
    let probe = ", readinessProbe: {initialDelaySeconds: 20, periodSeconds: 1, httpGet: {path: /, port: 8080}}";
    let steps = "  - ctl: cordon node-2\n".to_owned()
        + &app(&spec(2, "{}", &pod("web:v1", probe)))
        + "  - ctl: uncordon node-2\n  - drain: node-0\n  - drain: node-1\n  - await: {rolledOut: {deployment: web}}\n";
    let expect = "  neverFewer:\n  - {ready: 1, labels: {app: web}}\n";
    let run = run(&scenario(&steps, expect)).await;
    let parts = [
        "web had no ready endpoint for",
        "charged to the step \"drain node-1\"",
        "expected that there are never fewer than 1 ready pods with app=web; there were 0 ready pods after",
    ];
    assert_says(&run, "fail", &parts);
    assert!(run.output.stderr.contains("healed: drain node-0"), "{}", run.output.stderr);
}

#[tokio::test]
async fn a_service_that_selects_nobody_fails_and_names_the_label() {
    let _alone = ALONE.lock().await;
    let without = spec(2, "{}", &pod("web:v2", "")).replace(", tier: front", "");
    let steps = app(&spec(2, "{}", &pod("web:v1", "")))
        + &format!("  - apply: {{apiVersion: apps/v1, kind: Deployment, metadata: {{name: web}}, spec: {without}}}\n")
        + "  - await: {rolledOut: {deployment: web, image: \"web:v2\"}}\n  - await: {endpoints: {service: web, ready: 0}}\n";
    let run = run(&scenario(&steps, "")).await;
    let parts =
        ["its selector matches no pod: none has the label tier=front", "charged to the step \"apply Deployment/web\""];
    assert_says(&run, "fail", &parts);
}

#[tokio::test]
async fn an_app_that_is_slow_to_listen_is_restarted_by_its_probe_and_blamed_on_it() {
    let _alone = ALONE.lock().await;
    let probe = ", livenessProbe: {periodSeconds: 3, failureThreshold: 3, httpGet: {path: /, port: 8080}}";
    let steps = app(&spec(2, "{rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}", &pod("web:v1", probe)))
        + "  - ctl: set image deployment web app=web:slow\n  - await: {restarts: {labels: {app: web}, count: '>=2'}}\n"
        + "  - await: {events: {reason: BackOff}}\n";
    let expect = "  expect:\n  - that: {rolledOut: {deployment: web, image: \"web:slow\"}}\n    within: 1s\n";
    let run = run(&scenario(&steps, expect)).await;
    let parts =
        ["deployment.apps/web is waiting for a new pod", "failed liveness probe, will be restarted (Liveness probe"];
    assert_says(&run, "fail", &parts);
}

/// Its expectations would wait for a minute each.
#[tokio::test]
async fn an_arm_whose_step_fails_ends_at_once_and_names_the_step_and_its_last_line() {
    let _alone = ALONE.lock().await;
    let steps = "  - ctl: create -f nowhere.yaml\n  - rest: 60s\n";
    let expect = "  expect:\n  - that: {rolledOut: {deployment: web}}\n";
    let start = Instant::now();
    let run = run(&scenario(steps, expect)).await;
    let parts = ["arm: a step failed: $ ctl create -f nowhere.yaml exited with 1: error: the path \"nowhere.yaml\""];
    assert_says(&run, "fail", &parts);
    assert!(!run.reasons.contains("expected that"), "{}", run.reasons);
    assert!(start.elapsed().as_secs() < 50, "it took {:?}", start.elapsed());
}

#[tokio::test]
async fn a_mistake_in_an_image_an_object_or_a_node_is_found_before_anything_starts() {
    let folder = tempfile::tempdir().unwrap();
    let ctl = Ctl::in_folder(folder.path()).unwrap();
    let good = scenario("  - drain: node-1\n  - apply: {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n", "");
    for (from, to, told) in [
        ("startTime: 5s", "startTime: soon", "mine.yaml: images: "),
        ("kind: ConfigMap, ", "", "mine.yaml:12:5: an object to apply has no kind"),
        ("drain: node-1", "drain: node-3", "mine.yaml:11:5: this cluster has no node \"node-3\": it has 3 nodes"),
        ("drain: node-1", "drain: node-1\n    for: 5s", "mine.yaml:12:5: unknown field `for`"),
    ] {
        assert!(good.contains(from), "{from}");
        std::fs::write(folder.path().join("mine.yaml"), good.replace(from, to)).unwrap();
        let output = ctl.run("chaos run mine.yaml").await.unwrap();
        assert_eq!(output.code, 2, "{output:?}");
        assert!(output.stderr.contains(told), "no {told:?} in {}", output.stderr);
    }
}

/// The shipped examples are files as users write them.
#[tokio::test]
async fn an_example_runs_as_a_file_from_another_folder() {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let ctl = Ctl::in_folder(folder.path()).unwrap();
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/chaos/late-endpoints.yaml");
    let output = ctl.run(&format!("chaos run {example}")).await.unwrap();
    assert_eq!(output.code, 0, "{}\n{}", output.stdout, output.stderr);
}
