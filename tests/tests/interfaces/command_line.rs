//! Tests `ctl` with closed pipes, terminals, no cluster, a cluster without a quorum, Ctrl-C.

use squall_tests::{Lab, holds, wait_for};
use tokio::io::{AsyncBufReadExt, BufReader};

const KUBIA: &str = include_str!("../../../examples/chapter/kubia-deployment-v1.yaml");

#[tokio::test]
async fn a_cluster_without_a_quorum_is_told_in_time_and_so_is_none_at_all() {
    let mut lab = Lab::start().await.unwrap();
    let leader = lab.raft_leader().await.unwrap();
    let others: Vec<_> = lab.cluster.members().into_iter().filter(|m| m.role == leader.role && *m != leader).collect();
    for member in &others {
        lab.cluster.kill(*member).unwrap();
    }
    let ctl = lab.ctl().unwrap();
    for command in ["get po", "create namespace x", "rollout status deployment kubia", "why node node-0", "logs x"] {
        let output = ctl.run(&format!("--request-timeout=2s {command}")).await.unwrap();
        assert_eq!((output.code, output.stdout.as_str()), (1, ""), "{command}: {output:?}");
        assert!(output.stderr.starts_with("Unable to connect to the server: "), "{command}: {output:?}");
    }
    let status = ctl.run("cluster status").await.unwrap();
    assert!(status.stderr.contains("no apiserver has a quorum"), "{status:?}");
    lab.cluster.kill(leader).unwrap();
    let output = ctl.run("get po").await.unwrap();
    assert_eq!(output.code, 1);
    assert!(output.stderr.contains("was refused - did you specify the right host or port?"), "{output:?}");
}

#[tokio::test]
async fn pipes_terminals_and_interruptions_end_between_lines() {
    let lab = Lab::of(1, 1, 2).await.unwrap();
    lab.create(KUBIA).await.unwrap();
    lab.rolled_out("kubia").await.unwrap();
    let ctl = lab.ctl().unwrap();
    let shell = ctl.shell(&lab.cluster.kubeconfig());
    // A reader that closes the pipe is no failure.
    let piped = shell.run("set -o pipefail; ctl get po,rs,deploy -o yaml | head -1").await.unwrap();
    assert_eq!((piped.code, piped.stdout.as_str(), piped.stderr.as_str()), (0, "apiVersion: v1\n", ""));
    let watched = shell.run("ctl get po -w | head -2 | wc -l").await.unwrap();
    assert_eq!(watched.stdout, "2\n");
    // Not even one that closes it before there is any output.
    for command in ["get po --watch-only", "events --watch --for=pod/nosuch", "logs --follow deploy/kubia"] {
        let unread = shell.run(&format!("ctl {command} | true")).await.unwrap();
        assert_eq!(unread.code, 0, "{command}: {unread:?}");
    }
    // Colors appear only on a terminal, and only if they are wanted.
    for command in ["ctl --help", "ctl get po", "ctl rollout status deployment kubia", "NO_COLOR=1 ctl frobnicate"] {
        let output = shell.run(command).await.unwrap();
        assert!(!format!("{}{}", output.stdout, output.stderr).contains('\u{1b}'), "{command}");
    }
    // Ctrl-C ends a watch after a complete line.
    let mut child = ctl.start("get po -w").unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for _ in 0..4 {
        lines.next_line().await.unwrap().unwrap();
    }
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(lines.next_line().await.unwrap(), None);
    assert_eq!(child.wait().await.unwrap().code(), Some(0));
}

#[tokio::test]
async fn on_a_terminal_a_rollout_is_drawn() {
    let lab = Lab::of(1, 1, 2).await.unwrap();
    lab.create(KUBIA).await.unwrap();
    lab.rolled_out("kubia").await.unwrap();
    let shell = lab.ctl().unwrap().shell(&lab.cluster.kubeconfig());
    if shell.run("command -v script").await.unwrap().code != 0 {
        eprintln!("skipped: `script`, which makes a terminal, is not installed here");
        return;
    }
    shell.run("ctl patch deployment kubia -p '{\"spec\":{\"minReadySeconds\":10}}'").await.unwrap();
    for (width, image, revision) in [(120, "v2", "#2"), (40, "v4", "#3")] {
        shell.run(&format!("ctl set image deployment kubia nodejs=luksa/kubia:{image}")).await.unwrap();
        let command = format!("script -qec 'stty cols {width} && ctl rollout status deployment kubia' /dev/null");
        let drawn = shell.run(&command).await.unwrap();
        assert_eq!(drawn.code, 0, "{drawn:?}");
        for part in ["deployment.apps/kubia", revision, "successfully rolled out"] {
            assert!(drawn.stdout.contains(part), "{part} is not in {}", drawn.stdout);
        }
    }
}

#[tokio::test]
async fn requests_are_logged_when_asked_for() {
    let lab = Lab::of(1, 1, 1).await.unwrap();
    lab.create(KUBIA).await.unwrap();
    let ctl = lab.ctl().unwrap();
    let quiet = ctl.run("get deploy kubia").await.unwrap();
    assert_eq!(quiet.stderr, "");
    let logged = ctl.run("get deploy kubia -v 6").await.unwrap();
    let path = "/apis/apps/v1/namespaces/default/deployments/kubia 200 OK in";
    assert!(logged.stderr.contains("Config loaded from file:  ") && logged.stderr.contains(path), "{logged:?}");
    assert!(!logged.stderr.contains("Body:"));
    let refused = ctl.run("get deploy nosuch --v=6").await.unwrap();
    assert!(refused.stderr.contains("404 Not Found in"), "{refused:?}");
    let bodies = ctl.run("scale deploy kubia --replicas=2 -v 8").await.unwrap();
    let patch = "Request Body: {\"spec\":{\"replicas\":2}}";
    assert!(bodies.stderr.contains(patch) && bodies.stderr.contains("Response Body: {"), "{bodies:?}");
    wait_for("the change", || async {
        let status = lab.deployments().get("kubia").await.unwrap().status;
        holds(status.replicas == 2, status.replicas)
    })
    .await
    .unwrap();
}
