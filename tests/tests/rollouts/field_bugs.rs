//! Tests bugs reported for Kubernetes, each named by its report, on real processes. Those that need no processes are
//! next to the code that avoids them: kubernetes 129795 and cluster-api 13649 (`runtime/controller.rs`), 28145, 29357
//! and 98457 (`deployment/traces.rs`, `proportional.rs`), 29229 and 108266 (`replicas/availability.rs`,
//! `replicas/plan.rs`).

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::time::{Duration, Instant};

use squall_api::coordination::v1::Lease;
use squall_api::core::v1::{ConfigMap, Node, Pod};
use squall_api::kinds::is_pod_ready;
use squall_api::{Kind, Object};
use squall_client::{Api, Event, Selection, Watch};
use squall_cluster::{MemberName, Role};
use squall_tests::{Lab, holds, wait_for};

const KUBIA: &str = include_str!("../../../examples/chapter/kubia-deployment-and-service-v1.yaml");

/// Returns every state of the objects of a kind since a revision.
async fn history(lab: &Lab, kind: Kind, since: u64) -> Vec<Object> {
    let selection = Selection { namespace: "default".to_owned(), ..Selection::all(kind) };
    let mut watch = Watch::after(lab.client.clone(), selection, since);
    let until = revision(lab).await;
    let mut seen = Vec::new();
    loop {
        match watch.next().await.unwrap() {
            Event::Applied(object, revision) if revision <= until => seen.push(*object),
            Event::Deleted(_, revision) if revision <= until => {}
            Event::Begin | Event::Complete(_) => {}
            Event::Progress(revision) if revision < until => {}
            _ => return seen,
        }
    }
}

/// Writes an object and returns the revision of the write.
async fn revision(lab: &Lab) -> u64 {
    let maps: Api<ConfigMap> = Api::new(lab.client.clone(), "default");
    let mut map = ConfigMap::default();
    map.metadata.generate_name = "now-".to_owned();
    maps.create(map).await.unwrap().metadata.resource_version.parse().unwrap()
}

/// Waits until the Lease of each node has been renewed after this moment.
async fn nodes_are_heard(lab: &Lab, nodes: usize, after: jiff::Timestamp) {
    let leases: Api<Lease> = Api::new(lab.client.clone(), "kube-node-lease");
    wait_for("all nodes to be heard", || async {
        let all = leases.list("", "").await.map_err(|error| error.to_string())?;
        let renewed = |lease: &Lease| lease.spec.renew_time.is_some_and(|time| time.timestamp() > after);
        let heard = all.iter().filter(|lease| renewed(lease)).count();
        holds(heard == nodes, format!("{heard} of {nodes}"))
    })
    .await
    .unwrap();
}

/// A list from an apiserver that lagged behind made a controller go back in time.
#[tokio::test]
async fn kubernetes_59848_a_list_is_never_stale() {
    let lab = Lab::of(3, 1, 0).await.unwrap();
    let leader = lab.raft_leader().await.unwrap();
    let behind = MemberName { role: Role::Apiserver, index: (leader.index + 1) % 3 };
    let other = lab.client.beginning_with(leader.index);
    let (maps, asked): (Api<ConfigMap>, Api<ConfigMap>) =
        (Api::new(other, "default"), Api::new(lab.client.beginning_with(behind.index), "default"));
    for round in 0..20 {
        lab.cluster.pause(behind).unwrap();
        let mut map = ConfigMap::default();
        map.metadata.name = format!("round-{round}");
        maps.create(map).await.unwrap();
        lab.cluster.resume(behind).unwrap();
        let names: Vec<String> = asked.list("", "").await.unwrap().into_iter().map(|map| map.metadata.name).collect();
        assert!(names.contains(&format!("round-{round}")), "{names:?}");
    }
}

/// While no kubelet could report, all nodes became unready and every service lost its endpoints.
#[tokio::test]
async fn kubernetes_77864_an_outage_does_not_empty_endpoints() {
    let lab = Lab::start().await.unwrap();
    lab.create(KUBIA).await.unwrap();
    lab.rolled_out("kubia").await.unwrap();
    let uids = |pods: Vec<Object>| pods.iter().map(|pod| pod.meta().uid.clone()).collect::<Vec<_>>();
    let before = uids(lab.list(Kind::Pod).await.unwrap());
    let since = revision(&lab).await;
    let kubelets: Vec<MemberName> =
        lab.cluster.members().into_iter().filter(|member| member.role == Role::Kubelet).collect();
    kubelets.iter().for_each(|member| lab.cluster.pause(*member).unwrap());
    let nodes: Api<Node> = Api::new(lab.client.clone(), "");
    wait_for("all nodes to be marked", || async {
        let marked = |node: &Node| node.spec.taints.iter().any(|taint| taint.key.ends_with("/unreachable"));
        let count = nodes.list("", "").await.map_err(|error| error.to_string())?.iter().filter(|n| marked(n)).count();
        holds(count == 3, count.to_string())
    })
    .await
    .unwrap();
    // The controller checks each node several more times.
    let start = Instant::now();
    wait_for("the controller to have looked again", || async {
        holds(start.elapsed() > Duration::from_secs(2), start.elapsed())
    })
    .await
    .unwrap();
    kubelets.iter().for_each(|member| lab.cluster.resume(*member).unwrap());
    nodes_are_heard(&lab, 3, jiff::Timestamp::now()).await;
    for object in history(&lab, Kind::EndpointSlice, since).await {
        let Object::EndpointSlice(slice) = object else { unreachable!("a slice") };
        let ready = slice.endpoints.iter().filter(|endpoint| endpoint.conditions.ready == Some(true)).count();
        assert!(!slice.metadata.name.starts_with("kubia") || ready == 3, "{:?}", slice.endpoints);
    }
    assert_eq!(uids(lab.list(Kind::Pod).await.unwrap()), before, "nobody was evicted");
}

/// A restarted kubelet reported its pods as not ready until they had been probed again.
#[tokio::test]
async fn kubernetes_100277_a_kubelet_that_comes_back_leaves_readiness_alone() {
    let mut lab = Lab::of(1, 1, 1).await.unwrap();
    let probed = KUBIA.replace(
        "        name: nodejs",
        "        name: nodejs\n        readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 60}",
    );
    assert_ne!(probed, KUBIA);
    lab.create(&probed).await.unwrap();
    lab.rolled_out("kubia").await.unwrap();
    let first: Vec<String> = lab.list(Kind::Pod).await.unwrap().iter().map(|pod| pod.meta().uid.clone()).collect();
    let since = revision(&lab).await;
    let kubelet: MemberName = "kubelet-0".parse().unwrap();
    for _ in 0..3 {
        lab.cluster.kill(kubelet).unwrap();
        let killed = jiff::Timestamp::now();
        lab.cluster.start(kubelet).unwrap();
        nodes_are_heard(&lab, 1, killed).await;
    }
    // Once the kubelet has taken part in a change, it has sent all its reports about its pods.
    lab.deployments().patch("kubia", &serde_json::json!({"spec": {"replicas": 4}})).await.unwrap();
    lab.rolled_out("kubia").await.unwrap();
    for object in history(&lab, Kind::Pod, since).await {
        let pod = Pod::try_from(object).unwrap();
        assert!(
            is_pod_ready(&pod) || !first.contains(&pod.metadata.uid),
            "{} is not ready any more",
            pod.metadata.name
        );
    }
}
