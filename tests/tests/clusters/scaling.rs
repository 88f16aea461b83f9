//! Tests adding and removing apiservers under load: no acknowledged write is lost, and clients find the current
//! apiservers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use squall_api::Kind;
use squall_api::core::v1::ConfigMap;
use squall_client::{Api, Client};
use squall_cluster::MemberName;
use squall_tests::{Lab, holds, wait_for};

const KUBIA: &str = include_str!("../../../examples/chapter/kubia-deployment-and-service-v1.yaml");

/// Creates objects in sequence until `stop`; `written` counts the acknowledged ones.
async fn write(client: Client, stop: Arc<AtomicBool>, written: Arc<AtomicU64>) -> anyhow::Result<()> {
    let api: Api<ConfigMap> = Api::new(client, "default");
    while !stop.load(Ordering::Relaxed) {
        let mut object = ConfigMap::default();
        object.metadata.name = format!("written-{}", written.load(Ordering::Relaxed));
        api.create(object).await?;
        written.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

#[tokio::test]
async fn all_apiservers_are_replaced_under_load() {
    let mut lab = Lab::start().await.unwrap();
    lab.create(KUBIA).await.unwrap();
    lab.rolled_out("kubia").await.unwrap();
    let (stop, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let follower = lab.cluster.client().unwrap();
    let following = {
        let follower = follower.clone();
        tokio::spawn(async move { follower.follow_apiservers().await })
    };
    let writer = tokio::spawn(write(follower.clone(), stop.clone(), written.clone()));

    for index in 0..3 {
        let added = lab.cluster.add_apiserver().await.unwrap();
        assert_eq!(added.to_string(), format!("apiserver-{}", index + 3));
        let old: MemberName = format!("apiserver-{index}").parse().unwrap();
        // One of them is dead when it is removed.
        if index == 1 {
            lab.cluster.kill(old).unwrap();
        }
        // A following client must know the new one before the last old one goes.
        let url = lab.cluster.apiserver_url(added.index);
        wait_for("the new apiserver to be known", || async {
            let known = follower.endpoints();
            holds(known.contains(&url), known)
        })
        .await
        .unwrap();
        lab.cluster.remove_apiserver(old).await.unwrap();
        let before = written.load(Ordering::Relaxed);
        wait_for("writes to go on", || async {
            let now = written.load(Ordering::Relaxed);
            holds(now > before, now)
        })
        .await
        .unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    writer.await.unwrap().unwrap();
    following.abort();

    let names: Vec<String> = lab.cluster.members().into_iter().take(3).map(|member| member.to_string()).collect();
    assert_eq!(names, ["apiserver-3", "apiserver-4", "apiserver-5"]);
    // Commands find them through the kubeconfig, controllers and kubelets through the kubernetes service.
    lab.client = lab.cluster.client().unwrap();
    let stored = lab.list(Kind::ConfigMap).await.unwrap();
    let stored = stored.iter().filter(|object| object.meta().name.starts_with("written-")).count();
    assert_eq!(stored as u64, written.load(Ordering::Relaxed));
    lab.set_image("kubia", "luksa/kubia:v2").await.unwrap();
    lab.rolled_out("kubia").await.unwrap();
    lab.members_agree().await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_added_or_removed_is_said_and_nothing_is_changed() {
    let mut lab = Lab::of(1, 1, 0).await.unwrap();
    let ctl = lab.ctl().unwrap();
    for (command, expected) in [
        ("cluster remove apiserver-0", "error: apiserver-0 is the only apiserver; a cluster needs at least one\n"),
        ("cluster remove apiserver-7", "error: this cluster has no member apiserver-7\n"),
        (
            "cluster remove controller-manager-0",
            "error: controller-manager-0 is not an apiserver; only apiservers can be removed\n",
        ),
    ] {
        let output = ctl.run(command).await.unwrap();
        assert_eq!((output.stderr.as_str(), output.code), (expected, 1), "{command}");
    }

    // The new one cannot listen and is removed again; the next one gets another number.
    let address = lab.cluster.apiserver_url(1).trim_start_matches("https://").to_owned();
    let taken = std::net::TcpListener::bind(&address).unwrap();
    let output = ctl.run("cluster add apiserver").await.unwrap();
    assert_eq!(output.code, 1);
    assert!(output.stderr.contains(&format!("listening on {address}: Address already in use")), "{}", output.stderr);
    drop(taken);
    let output = ctl.run("cluster add apiserver").await.unwrap();
    assert_eq!((output.stdout.as_str(), output.code), ("apiserver-2 added: it has caught up and votes\n", 0));
    let output = ctl.run("cluster status").await.unwrap();
    assert!(output.stdout.contains("apiserver-2") && !output.stdout.contains("apiserver-1"), "{}", output.stdout);
    // The first one can be removed, and all can be restarted.
    ctl.succeed("cluster remove apiserver-0").await.unwrap();
    ctl.succeed("get namespaces").await.unwrap();
    lab.cluster.down().unwrap();
    let output = ctl.run("cluster up --detach").await.unwrap();
    assert_eq!(output.code, 0, "{output:?}");
    ctl.succeed("get namespaces").await.unwrap();
    ctl.succeed("cluster down").await.unwrap();
}

#[tokio::test]
async fn a_removal_that_would_leave_too_few_is_refused() {
    let mut lab = Lab::of(3, 1, 0).await.unwrap();
    let leader = lab.raft_leader().await.unwrap();
    let members = lab.cluster.members().into_iter().take(3);
    let others: Vec<MemberName> = members.filter(|member| *member != leader).collect();
    lab.cluster.kill(others[0]).unwrap();
    let killed = Instant::now();
    // It counts as available until it has been silent for a while.
    let missed = || async { holds(killed.elapsed() > Duration::from_secs(3), killed.elapsed()) };
    wait_for("the dead one to be missed", missed).await.unwrap();
    let ctl = lab.ctl().unwrap();
    let output = ctl.run(&format!("cluster remove {}", others[1])).await.unwrap();
    let expected = "error: this removal would leave 2 voters, 1 responding: start the others, or remove them first\n";
    assert_eq!((output.stderr.as_str(), output.code), (expected, 1));
    // The dead one can be removed, and then the other.
    for member in others {
        let output = ctl.run(&format!("cluster remove {member}")).await.unwrap();
        assert_eq!(output.code, 0, "{output:?}");
    }
    ctl.succeed("get namespaces").await.unwrap();
}
