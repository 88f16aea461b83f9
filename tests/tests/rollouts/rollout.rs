//! Tests rollouts on real processes, with and without crashes.

#![expect(clippy::panic, reason = "a test ends where it fails")]

use squall_api::{Kind, Object};
use squall_client::{DeleteParams, Event, Selection, Watch};
use squall_tests::{Lab, Traffic, holds, wait_for};

const KUBIA: &str = include_str!("../../../examples/chapter/kubia-deployment-and-service-v1.yaml");
/// Pods that answer a probe before they get requests, and go on serving until every node knows that they end.
const CAREFUL: &str = include_str!("../../../examples/careful/deployment.yaml");

#[tokio::test]
async fn a_rollout_loses_no_request_while_both_leaders_are_killed() {
    let mut lab = Lab::start().await.unwrap();
    lab.create(CAREFUL).await.unwrap();
    lab.rolled_out("kubia").await.unwrap();
    let traffic = Traffic::start(lab.service_address().await.unwrap(), 2);
    wait_for("an answer", || async { holds(traffic.tally().by_version.contains_key("v1"), traffic.tally()) })
        .await
        .unwrap();

    lab.set_image("kubia", "luksa/kubia:v2").await.unwrap();
    wait_for("the rollout to be under way", || async {
        let sets = lab.list(Kind::ReplicaSet).await.map_err(|error| error.to_string())?;
        holds(sets.len() == 2, format!("{} ReplicaSets", sets.len()))
    })
    .await
    .unwrap();
    let (store, manager) = (lab.raft_leader().await.unwrap(), lab.elected().await.unwrap());
    lab.cluster.kill(store).unwrap();
    lab.cluster.kill(manager).unwrap();
    lab.rolled_out("kubia").await.unwrap();
    lab.cluster.start(store).unwrap();
    lab.cluster.start(manager).unwrap();
    lab.members_agree().await.unwrap();

    let tally = traffic.end().await;
    assert!(tally.failures.is_empty(), "{:?}", tally.failures);
    assert!(tally.by_version.contains_key("v2"), "{:?}", tally.by_version);
    wait_for("every pod to run v2", || async {
        let pods = lab.list(Kind::Pod).await.map_err(|error| error.to_string())?;
        let images: Vec<String> = pods.iter().map(image).collect();
        holds(images == ["luksa/kubia:v2"; 3], format!("{images:?}"))
    })
    .await
    .unwrap();
}

fn image(object: &Object) -> String {
    match object {
        Object::Pod(pod) => pod.spec.containers[0].image.clone(),
        other => panic!("{:?} is not a pod", other.kind()),
    }
}

#[tokio::test]
async fn a_power_cut_keeps_every_acknowledged_object() {
    let mut lab = Lab::start().await.unwrap();
    lab.create(KUBIA).await.unwrap();
    let before = lab.rolled_out("kubia").await.unwrap();
    lab.cluster.power_cut().unwrap();
    lab.cluster.start_all().unwrap();
    let after = lab.rolled_out("kubia").await.unwrap();
    assert_eq!(after.metadata.uid, before.metadata.uid);
    lab.members_agree().await.unwrap();
    lab.service_address().await.unwrap();
}

#[tokio::test]
async fn a_watch_goes_on_where_it_was_when_the_leader_is_killed() {
    let mut lab = Lab::start().await.unwrap();
    lab.create(KUBIA).await.unwrap();
    let kubia = lab.rolled_out("kubia").await.unwrap();
    let revision = kubia.metadata.resource_version.parse().unwrap();
    let selection = Selection { namespace: "default".to_owned(), ..Selection::all(Kind::Deployment) };
    let mut watch = Watch::after(lab.client.clone(), selection, revision);
    let leader = lab.raft_leader().await.unwrap();
    let mut last = revision;
    for replicas in [4, 5, 6] {
        if replicas == 5 {
            lab.cluster.kill(leader).unwrap();
        }
        let patch = serde_json::json!({"spec": {"replicas": replicas}});
        lab.deployments().patch("kubia", &patch).await.unwrap();
        loop {
            match watch.next().await.unwrap() {
                Event::Applied(object, revision) => {
                    assert!(revision > last, "{revision} after {last}");
                    last = revision;
                    let Object::Deployment(deployment) = *object else { panic!("not a Deployment") };
                    if deployment.spec.replicas == Some(replicas) {
                        break;
                    }
                }
                Event::Progress(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn a_killed_kubelet_leaves_its_pods_serving_and_deleting_cleans_up() {
    let mut lab = Lab::start().await.unwrap();
    lab.create(CAREFUL).await.unwrap();
    lab.rolled_out("kubia").await.unwrap();
    let traffic = Traffic::start(lab.service_address().await.unwrap(), 1);
    for node in 0..3 {
        for member in lab.cluster.named(&format!("kubelet-{node}")).unwrap() {
            lab.cluster.kill(member).unwrap();
            lab.cluster.start(member).unwrap();
        }
    }
    lab.set_image("kubia", "luksa/kubia:v2").await.unwrap();
    lab.rolled_out("kubia").await.unwrap();
    let tally = traffic.end().await;
    assert!(tally.failures.is_empty(), "{:?}", tally.failures);
    let background = DeleteParams { propagation: "Background".to_owned(), ..DeleteParams::default() };
    lab.deployments().delete("kubia", background).await.unwrap();
    wait_for("everything to be gone", || async {
        let (sets, pods) = (lab.list(Kind::ReplicaSet).await, lab.list(Kind::Pod).await);
        let (sets, pods) = (sets.map_err(|e| e.to_string())?, pods.map_err(|e| e.to_string())?);
        holds(sets.is_empty() && pods.is_empty(), format!("{} and {}", sets.len(), pods.len()))
    })
    .await
    .unwrap();
}
