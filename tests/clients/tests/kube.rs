//! Tests `kube`, the Rust client for controller authors: it works as it does against Kubernetes.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{
    Api, DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams, ValidationDirective, WatchEvent,
    WatchParams,
};
use kube::runtime::controller::{Action, Controller};
use kube::runtime::reflector::{self, ObjectRef};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, ResourceExt};
use serde_json::json;
use squall_cluster::MemberName;
use squall_tests::{Lab, holds, wait_for};

use squall_client_tests::client_of;

const KUBIA: &str = include_str!("../../../examples/chapter/kubia-deployment-v1.yaml");

fn map(name: &str, value: &str) -> ConfigMap {
    ConfigMap {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some(BTreeMap::from([("of".to_owned(), "kube".to_owned())])),
            ..ObjectMeta::default()
        },
        data: Some(BTreeMap::from([("value".to_owned(), value.to_owned())])),
        ..ConfigMap::default()
    }
}

fn value(map: &ConfigMap) -> &str {
    map.data.as_ref().and_then(|data| data.get("value")).map_or("", String::as_str)
}

#[tokio::test]
async fn every_verb_of_kube_works() {
    let lab = Lab::of(1, 1, 0).await.unwrap();
    let client = client_of(&lab, 0).await;
    assert_eq!(client.apiserver_version().await.unwrap().major, "1");
    let maps: Api<ConfigMap> = Api::default_namespaced(client.clone());
    let ours = ListParams::default().labels("of=kube");

    for number in 0..5 {
        maps.create(&PostParams::default(), &map(&format!("map-{number}"), "first")).await.unwrap();
    }
    let error = maps.create(&PostParams::default(), &map("map-0", "again")).await.unwrap_err();
    assert!(matches!(error, kube::Error::Api(status) if status.is_already_exists()));
    let first = maps.list(&ours.clone().limit(2)).await.unwrap();
    assert_eq!(first.items.len(), 2);
    let rest = maps.list(&ours.clone().limit(9).continue_token(&first.metadata.continue_.unwrap())).await.unwrap();
    assert_eq!(rest.items.iter().map(ResourceExt::name_any).collect::<Vec<_>>(), ["map-2", "map-3", "map-4"]);

    let merge = json!({"data": {"value": "second"}});
    let patched = maps.patch("map-0", &PatchParams::default(), &Patch::Merge(&merge)).await.unwrap();
    assert_eq!(value(&patched), "second");
    let strategic = json!({"metadata": {"labels": {"more": "labels"}}});
    let patched = maps.patch("map-0", &PatchParams::default(), &Patch::Strategic(&strategic)).await.unwrap();
    assert_eq!(patched.labels().len(), 2);
    let mut stale = patched.clone();
    stale.metadata.resource_version = first.metadata.resource_version;
    let error = maps.replace("map-0", &PostParams::default(), &stale).await.unwrap_err();
    assert!(matches!(error, kube::Error::Api(status) if status.is_conflict()));

    let applied =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "map-0"}, "data": {"value": "third"}});
    let error = maps.patch("map-0", &PatchParams::apply("kube"), &Patch::Apply(&applied)).await.unwrap_err();
    assert!(matches!(error, kube::Error::Api(status) if status.is_conflict()), "someone else owns the value");
    let forced = maps.patch("map-0", &PatchParams::apply("kube").force(), &Patch::Apply(&applied)).await.unwrap();
    assert_eq!(value(&forced), "third");

    let strict = PatchParams { field_validation: Some(ValidationDirective::Strict), ..PatchParams::default() };
    let unknown = json!({"dta": {}});
    let error = maps.patch("map-0", &strict, &Patch::Merge(&unknown)).await.unwrap_err();
    assert!(error.to_string().contains("unknown field"), "{error}");

    let meta = maps.get_metadata("map-0").await.unwrap();
    assert_eq!(meta.labels().len(), 2);
    maps.delete_collection(&DeleteParams::default(), &ours).await.unwrap();
    assert!(maps.list(&ours).await.unwrap().items.is_empty());
    assert!(maps.get_opt("map-0").await.unwrap().is_none());
}

#[tokio::test]
async fn a_watch_of_kube_tells_what_happens() {
    let lab = Lab::of(1, 1, 0).await.unwrap();
    let maps: Api<ConfigMap> = Api::default_namespaced(client_of(&lab, 0).await);
    let version = maps.list(&ListParams::default()).await.unwrap().metadata.resource_version.unwrap();
    maps.create(&PostParams::default(), &map("watched", "first")).await.unwrap();
    let change = json!({"data": {"value": "second"}});
    maps.patch("watched", &PatchParams::default(), &Patch::Merge(&change)).await.unwrap();
    maps.delete("watched", &DeleteParams::default()).await.unwrap();
    let events = maps.watch(&WatchParams::default().labels("of=kube"), &version).await.unwrap();
    let events: Vec<WatchEvent<ConfigMap>> = events.take(3).try_collect().await.unwrap();
    let told: Vec<(&str, &str)> = events
        .iter()
        .map(|event| match event {
            WatchEvent::Added(map) => ("added", value(map)),
            WatchEvent::Modified(map) => ("modified", value(map)),
            WatchEvent::Deleted(map) => ("deleted", value(map)),
            other => unreachable!("{other:?}"),
        })
        .collect();
    assert_eq!(told, [("added", "first"), ("modified", "second"), ("deleted", "second")]);
}

#[tokio::test]
async fn scale_and_status_of_a_deployment_work() {
    let lab = Lab::start().await.unwrap();
    lab.create(KUBIA).await.unwrap();
    let deployments: Api<Deployment> = Api::default_namespaced(client_of(&lab, 0).await);
    let scale = json!({"spec": {"replicas": 1}});
    deployments.patch_scale("kubia", &PatchParams::default(), &Patch::Merge(&scale)).await.unwrap();
    wait_for("one replica", || async {
        let status = deployments.get_status("kubia").await.map_err(|error| error.to_string())?.status;
        let (all, available) = status.map_or((None, None), |status| (status.replicas, status.available_replicas));
        holds((all, available) == (Some(1), Some(1)), format!("{all:?} {available:?}"))
    })
    .await
    .unwrap();
    assert_eq!(deployments.get_scale("kubia").await.unwrap().spec.unwrap().replicas, Some(1));
}

/// Annotates each config map with the value that it saw.
async fn reconcile(map: std::sync::Arc<ConfigMap>, client: std::sync::Arc<Client>) -> Result<Action, kube::Error> {
    let maps: Api<ConfigMap> = Api::default_namespaced(client.as_ref().clone());
    if map.annotations().get("seen").map(String::as_str) != Some(value(&map)) {
        let patch = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"annotations": {"seen": value(&map)}},
        });
        maps.patch(&map.name_any(), &PatchParams::apply("seer").force(), &Patch::Apply(&patch)).await?;
    }
    Ok(Action::await_change())
}

fn retry(_: std::sync::Arc<ConfigMap>, _: &kube::Error, _: std::sync::Arc<Client>) -> Action {
    Action::requeue(Duration::from_millis(100))
}

#[tokio::test]
async fn a_controller_of_kube_lives_through_the_death_of_the_leader() {
    let mut lab = Lab::of(3, 1, 0).await.unwrap();
    let leader = lab.raft_leader().await.unwrap();
    // kube supports one address. Elsewhere a load balancer would be behind it; here it is a member that survives.
    let client = client_of(&lab, (leader.index + 1) % 3).await;
    let maps: Api<ConfigMap> = Api::default_namespaced(client.clone());
    let ours = watcher::Config::default().labels("of=kube");

    let (reader, writer) = reflector::store();
    let reflecting = watcher(maps.clone(), ours.clone()).default_backoff().reflect(writer).for_each(|_| async {});
    let reflecting = tokio::spawn(reflecting);
    let controller = Controller::new(maps.clone(), ours).run(reconcile, retry, std::sync::Arc::new(client));
    let controlling = tokio::spawn(controller.for_each(|_| async {}));

    for number in 0..10 {
        maps.create(&PostParams::default(), &map(&format!("map-{number}"), "before")).await.unwrap();
    }
    kill_and_go_on(&mut lab, leader, &maps).await;
    wait_for("the controller and the reflector to have seen everything", || async {
        for number in 0..20 {
            let name = format!("map-{number}");
            let reflected = reader.get(&ObjectRef::new(&name).within("default")).ok_or(name.clone())?;
            let expected = if number < 5 {
                "changed"
            } else if number < 10 {
                "before"
            } else {
                "after"
            };
            if value(&reflected) != expected
                || reflected.annotations().get("seen").map(String::as_str) != Some(expected)
            {
                return Err(format!("{name}: {reflected:?}"));
            }
        }
        Ok(())
    })
    .await
    .unwrap();
    assert!(!controlling.is_finished() && !reflecting.is_finished());
}

async fn kill_and_go_on(lab: &mut Lab, leader: MemberName, maps: &Api<ConfigMap>) {
    lab.cluster.kill(leader).unwrap();
    let change = json!({"data": {"value": "changed"}});
    for number in 0..5 {
        wait_for("a change to be taken", || async {
            let patched = maps.patch(&format!("map-{number}"), &PatchParams::default(), &Patch::Merge(&change)).await;
            patched.map(drop).map_err(|error| error.to_string())
        })
        .await
        .unwrap();
    }
    for number in 10..20 {
        maps.create(&PostParams::default(), &map(&format!("map-{number}"), "after")).await.unwrap();
    }
}
