//! Tests how a cluster's processes react when other processes exit or freeze: the launcher, each other, another
//! cluster.

use std::time::Duration;

use squall_api::Kind;
use squall_client::ResourceRef;
use squall_cluster::{Cluster, Lifetime, ProcessState};
use squall_tests::{Ctl, Lab, holds, running, wait_for};

const KUBIA: &str = include_str!("../../../examples/chapter/kubia-deployment-and-service-v1.yaml");

#[tokio::test]
async fn the_members_end_when_their_launcher_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let ctl = Ctl::in_folder(folder.path()).unwrap();
    let up = "cluster up --apiservers 1 --controller-managers 1 --nodes 1";
    let mut launcher = ctl.start(up).unwrap();
    let dir = folder.path().join(".squall");
    wait_for("the cluster to be ready", || async {
        let output = ctl.run("get nodes --no-headers").await.map_err(|error| error.to_string())?;
        holds(output.stdout.contains(" Ready "), format!("{output:?}"))
    })
    .await
    .unwrap();
    launcher.kill().await.unwrap();
    wait_for("all members to end", || async {
        let cluster = Cluster::open(&dir, Lifetime::Detached).map_err(|error| error.to_string())?;
        let running = cluster.members().into_iter().filter(|member| cluster.state(*member).0 != ProcessState::Stopped);
        let running: Vec<String> = running.map(|member| member.to_string()).collect();
        holds(running.is_empty(), format!("{running:?} still run"))
    })
    .await
    .unwrap();

    // The stored objects are there when the cluster comes up again in that folder.
    ctl.succeed("cluster up --detach").await.unwrap();
    assert!(ctl.run("get nodes --no-headers").await.unwrap().stdout.contains("node-0"));
    ctl.succeed("cluster down --delete").await.unwrap();
    assert!(!dir.exists());
}

#[tokio::test]
async fn detached_members_are_found_again_and_nothing_is_started_twice() {
    let folder = tempfile::tempdir().unwrap();
    let ctl = Ctl::in_folder(folder.path()).unwrap();
    let up = "cluster up --detach --apiservers 1 --controller-managers 1 --nodes 1";
    let first = ctl.run(up).await.unwrap();
    assert_eq!(first.code, 0, "{first:?}");
    let before = running(&ctl).await.unwrap();
    assert_eq!(before.len(), 4, "{before:?}");
    ctl.succeed(up).await.unwrap();
    assert_eq!(running(&ctl).await.unwrap(), before);
    assert_eq!(ctl.run("cluster kill kubelet-0").await.unwrap().stdout, "kubelet-0 killed\n");
    ctl.succeed(up).await.unwrap();
    let after = running(&ctl).await.unwrap();
    assert_eq!(after.iter().zip(&before).filter(|(one, other)| one != other).count(), 1, "only the kubelet is new");
    assert_eq!(ctl.run("cluster down").await.unwrap().stdout, "all members have stopped\n");
    assert!(running(&ctl).await.unwrap().is_empty());
}

#[tokio::test]
async fn two_clusters_run_side_by_side() {
    let (one, other) = (Lab::of(1, 1, 1).await.unwrap(), Lab::of(1, 1, 1).await.unwrap());
    for lab in [&one, &other] {
        lab.create(KUBIA).await.unwrap();
        lab.rolled_out("kubia").await.unwrap();
    }
    let ctl = one.ctl().unwrap();
    ctl.succeed("delete deployment kubia").await.unwrap();
    assert_eq!(one.list(Kind::Deployment).await.unwrap().len(), 0);
    assert_eq!(other.list(Kind::Deployment).await.unwrap().len(), 1);
}

#[tokio::test]
async fn whichever_member_is_killed_the_rollout_goes_on_and_the_member_comes_back() {
    let mut lab = Lab::start().await.unwrap();
    lab.create(KUBIA).await.unwrap();
    lab.rolled_out("kubia").await.unwrap();
    for (round, member) in lab.cluster.members().into_iter().enumerate() {
        let image = if round % 2 == 0 { "luksa/kubia:v2" } else { "luksa/kubia:v1" };
        lab.set_image("kubia", image).await.unwrap();
        lab.cluster.kill(member).unwrap();
        lab.cluster.start(member).unwrap();
        lab.rolled_out("kubia").await.unwrap_or_else(|error| panic!("after {member} was killed: {error:#}"));
        assert_eq!(lab.cluster.first_failure(), None);
    }
    // The members are compared while they keep writing.
    let ctl = lab.ctl().unwrap();
    wait_for("the members to be compared", || async {
        let output = ctl.run("cluster check").await.map_err(|error| error.to_string())?;
        holds(output.stdout.starts_with("all 3 apiservers have the state "), output.stderr)
    })
    .await
    .unwrap();
    lab.members_agree().await.unwrap();
}

#[tokio::test]
async fn deleting_a_cluster_leaves_what_is_not_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let ctl = Ctl::in_folder(folder.path()).unwrap();
    std::fs::write(folder.path().join("thesis.txt"), "mine").unwrap();
    let up = "cluster up --detach --apiservers 1 --controller-managers 1 --nodes 1 --dir .";
    ctl.succeed(up).await.unwrap();
    let output = ctl.run("cluster down --delete --dir .").await.unwrap();
    assert_eq!(output.code, 0, "{}", output.stderr);
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["thesis.txt"]);

    std::fs::create_dir(folder.path().join("data")).unwrap();
    let output = ctl.run(up).await.unwrap();
    assert_eq!(output.code, 1);
    assert!(output.stderr.contains("data already exists and belongs to no cluster"), "{}", output.stderr);
}

#[tokio::test]
async fn a_frozen_apiserver_takes_up_little_of_the_deadline() {
    let lab = Lab::of(3, 1, 0).await.unwrap();
    for (place, member) in lab.cluster.members().into_iter().take(3).enumerate() {
        lab.cluster.pause(member).unwrap();
        // A new connection: the kernel accepts it for the frozen process, which then stays silent.
        let client = lab.cluster.client().unwrap().beginning_with(place).with_deadline(Duration::from_secs(10));
        let nodes = client.list(&ResourceRef::collection(Kind::Node, ""), "", "", "").await;
        assert!(nodes.is_ok(), "{member} is frozen: {nodes:?}");
        lab.cluster.resume(member).unwrap();
    }
}
