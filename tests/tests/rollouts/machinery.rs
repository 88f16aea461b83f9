//! Tests pods, nodes and services on real processes, as an SRE sees them.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

use serde_json::json;
use squall_api::apps::v1::ReplicaSet;
use squall_api::core::v1::{Endpoints, Node, Pod, Service};
use squall_api::kinds::is_pod_ready;
use squall_api::policy::v1::PodDisruptionBudget;
use squall_api::{Kind, Object};
use squall_client::{Api, DeleteParams};
use squall_tests::{Lab, Traffic, holds, wait_for};

const KUBIA: &str = include_str!("../../../examples/chapter/kubia-deployment-and-service-v1.yaml");
const KUBIA_ALONE: &str = include_str!("../../../examples/chapter/kubia-deployment-v1.yaml");
const V3_PROBED: &str = include_str!("../../../examples/chapter/kubia-deployment-v3-with-readinesscheck.yaml");

fn pods(lab: &Lab) -> Api<Pod> {
    Api::new(lab.client.clone(), "default")
}

/// Returns the reasons of all events of an object.
async fn reasons(lab: &Lab, name: &str) -> Vec<String> {
    let events = lab.list(Kind::Event).await.unwrap();
    let of = |object: Object| match object {
        Object::Event(event) if event.involved_object.name == name => Some(event.reason),
        _ => None,
    };
    events.into_iter().filter_map(of).collect()
}

/// Chapter section 9.3.6: the probe stops a bad version by itself.
#[tokio::test]
async fn a_bad_version_is_stopped_by_its_probe_and_undone() {
    let lab = Lab::start().await.unwrap();
    lab.create(KUBIA).await.unwrap();
    lab.rolled_out("kubia").await.unwrap();
    lab.set_image("kubia", "luksa/kubia:v2").await.unwrap();
    lab.rolled_out("kubia").await.unwrap();
    let address = lab.service_address().await.unwrap();
    let file = lab.cluster.folder().join("v3.yaml");
    std::fs::write(
        &file,
        V3_PROBED.replace("minReadySeconds: 10", "minReadySeconds: 10\n  progressDeadlineSeconds: 15"),
    )
    .unwrap();
    let ctl = lab.ctl().unwrap();
    ctl.run(&format!("apply -f {}", file.display())).await.unwrap();
    wait_for("the deadline of the rollout", || async {
        let status = lab.deployments().get("kubia").await.map_err(|error| error.to_string())?.status;
        let exceeded = status.conditions.iter().any(|condition| condition.reason == "ProgressDeadlineExceeded");
        holds(exceeded, format!("{:?}", status.conditions))
    })
    .await
    .unwrap();
    let deployment = lab.deployments().get("kubia").await.unwrap();
    assert_eq!(
        (deployment.status.updated_replicas, deployment.status.available_replicas),
        (1, 3),
        "one canary, unready"
    );
    let traffic = Traffic::start(address, 2);
    wait_for("answers", || async { holds(traffic.tally().answered() > 200, traffic.tally()) }).await.unwrap();
    let undone = ctl.run("rollout undo deployment kubia").await.unwrap();
    assert_eq!(undone.code, 0, "{}", undone.stderr);
    lab.rolled_out("kubia").await.unwrap();
    let tally = traffic.end().await;
    assert_eq!(
        (tally.failed, tally.by_version.keys().map(String::as_str).collect::<Vec<_>>()),
        (0, vec!["v2"]),
        "{tally:?}"
    );
}

/// Chapter section 9.3.3: without a probe the bad version is rolled out, and then rolled back.
#[tokio::test]
async fn a_bad_version_without_a_probe_goes_out_and_is_rolled_back() {
    let lab = Lab::start().await.unwrap();
    lab.create(KUBIA).await.unwrap();
    lab.rolled_out("kubia").await.unwrap();
    lab.set_image("kubia", "luksa/kubia:v3").await.unwrap();
    lab.rolled_out("kubia").await.unwrap();
    let traffic = Traffic::start(lab.service_address().await.unwrap(), 2);
    wait_for("failures", || async { holds(traffic.tally().failed > 0, traffic.tally()) }).await.unwrap();
    traffic.end().await;
    let undone = lab.ctl().unwrap().run("rollout undo deployment kubia").await.unwrap();
    assert_eq!(undone.code, 0, "{}", undone.stderr);
    lab.rolled_out("kubia").await.unwrap();
    let address = lab.service_address().await.unwrap();
    // Without a probe, a pod gets requests before it listens.
    wait_for("v1 to answer, and nothing else", || async {
        let traffic = Traffic::start(address, 1);
        let enough = || async { holds(traffic.tally().answered() + traffic.tally().failed > 20, traffic.tally()) };
        wait_for("some answers", enough).await.map_err(|error| format!("{error:?}"))?;
        let tally = traffic.end().await;
        holds(tally.failed == 0 && tally.by_version.keys().eq(["v1"]), format!("{tally:?}"))
    })
    .await
    .unwrap();
}

const IMAGES: &str = "
images:
- {name: 'job:v1', answer: {status: 200, body: x}, exitAfter: 100ms}
- {name: 'crash:v1', answer: {status: 200, body: x}, exitAfter: 50ms, exitCode: 3}
- {name: 'web:v1', answer: {status: 200, body: x}, exec: [{command: cat /ok, exitCode: 1, output: no such file, after: 600ms}]}
";
const PODS: &str = "
apiVersion: v1
kind: Pod
metadata: {name: init}
spec:
  initContainers:
  - {name: first, image: 'job:v1'}
  - {name: side, image: 'web:v1', restartPolicy: Always, ports: [{containerPort: 9001}], startupProbe: {tcpSocket: {port: 9001}, periodSeconds: 1}}
  containers: [{name: main, image: 'web:v1'}]
---
apiVersion: v1
kind: Pod
metadata: {name: crash}
spec: {containers: [{name: c, image: 'crash:v1'}]}
---
apiVersion: v1
kind: Pod
metadata: {name: live}
spec: {containers: [{name: c, image: 'web:v1', livenessProbe: {exec: {command: [cat, /ok]}, periodSeconds: 1, failureThreshold: 2}}]}
---
apiVersion: v1
kind: Pod
metadata: {name: missing}
spec: {containers: [{name: c, image: 'luksa/kubia:v9'}]}
---
apiVersion: v1
kind: Pod
metadata: {name: never}
spec: {containers: [{name: c, image: 'luksa/kubia:v1', imagePullPolicy: Never}]}
---
apiVersion: v1
kind: Pod
metadata: {name: job}
spec: {restartPolicy: Never, containers: [{name: c, image: 'job:v1'}]}
---
apiVersion: v1
kind: Pod
metadata: {name: late}
spec: {activeDeadlineSeconds: 1, containers: [{name: c, image: 'web:v1'}]}
---
apiVersion: v1
kind: Pod
metadata: {name: reads}
spec: {containers: [{name: c, image: 'web:v1', env: [{name: A, valueFrom: {configMapKeyRef: {name: settings, key: a}}}]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: mounts}
spec:
  volumes: [{name: files, secret: {secretName: files}}]
  containers: [{name: c, image: 'web:v1', volumeMounts: [{name: files, mountPath: /files}]}]
";
const READ: &str = "{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {a: b}}
---
{apiVersion: v1, kind: Secret, metadata: {name: files}}";

#[tokio::test]
async fn pods_live_as_their_containers_do() {
    let lab = Lab::with_images(IMAGES).await.unwrap();
    lab.create(PODS).await.unwrap();
    let state = async |name: &str, wanted: &dyn Fn(&Pod) -> bool| {
        wait_for(name, || async {
            let pod = pods(&lab).get(name).await.map_err(|error| error.to_string())?;
            holds(wanted(&pod), format!("{:?}", pod.status))
        })
        .await
        .unwrap();
    };
    let waits = |pod: &Pod| {
        let waiting = pod.status.container_statuses.first().and_then(|status| status.state.waiting.clone());
        waiting.map(|waiting| waiting.reason).unwrap_or_default()
    };
    let restarts = |pod: &Pod| pod.status.container_statuses.first().map_or(0, |status| status.restart_count);
    state("init", &is_pod_ready).await;
    state("crash", &|pod| restarts(pod) >= 2 && waits(pod) == "CrashLoopBackOff").await;
    state("live", &|pod| restarts(pod) >= 1).await;
    state("missing", &|pod| waits(pod) == "ImagePullBackOff").await;
    state("never", &|pod| waits(pod) == "ErrImageNeverPull").await;
    state("job", &|pod| pod.status.phase == "Succeeded").await;
    state("late", &|pod| pod.status.phase == "Failed" && pod.status.reason == "DeadlineExceeded").await;
    state("reads", &|pod| waits(pod) == "CreateContainerConfigError").await;
    state("mounts", &|pod| waits(pod) == "ContainerCreating").await;
    for (name, expected) in [
        ("crash", vec!["BackOff"]),
        ("live", vec!["Unhealthy", "Killing"]),
        ("missing", vec!["Pulling", "Failed", "BackOff"]),
        ("never", vec!["ErrImageNeverPull", "Failed"]),
        ("job", vec!["Scheduled", "Pulling", "Pulled", "Created", "Started"]),
        ("late", vec!["DeadlineExceeded", "Killing"]),
        ("reads", vec!["Pulled", "Failed"]),
        ("mounts", vec!["FailedMount"]),
    ] {
        wait_for("the events", || async {
            let told = reasons(&lab, name).await;
            holds(expected.iter().all(|reason| told.iter().any(|one| one == reason)), (name, told))
        })
        .await
        .unwrap();
    }
    lab.create(READ).await.unwrap();
    state("reads", &is_pod_ready).await;
    state("mounts", &is_pod_ready).await;
    for name in ["init", "crash", "missing", "late", "reads", "mounts"] {
        pods(&lab).delete(name, DeleteParams::default()).await.unwrap();
    }
    wait_for("the pods to be gone", || async {
        let names: Vec<String> =
            pods(&lab).list("", "").await.unwrap().into_iter().map(|pod| pod.metadata.name).collect();
        holds(names == ["job", "live", "never"], names)
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_lost_node_is_given_up_and_leaves_no_zombie_when_it_comes_back() {
    let mut lab = Lab::start().await.unwrap();
    let tolerant = KUBIA.replace(
        "      containers:",
        "      tolerations: [{key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: 5}]\n      containers:",
    );
    assert_ne!(tolerant, KUBIA);
    lab.create(&tolerant).await.unwrap();
    lab.rolled_out("kubia").await.unwrap();
    let on_node = async || pods(&lab).list("", "spec.nodeName=node-2").await.unwrap();
    assert_eq!(on_node().await.len(), 1, "one pod on each node");
    let lost = lab.cluster.named("node-2").unwrap();
    lab.cluster.kill_all(&lost).unwrap();
    wait_for("its pod to be replaced", || async {
        let all = pods(&lab).list("", "").await.map_err(|error| error.to_string())?;
        let elsewhere = all.iter().filter(|pod| pod.spec.node_name != "node-2" && is_pod_ready(pod)).count();
        holds(elsewhere == 3, format!("{elsewhere} of {}", all.len()))
    })
    .await
    .unwrap();
    let nodes: Api<Node> = Api::new(lab.client.clone(), "");
    let taints: Vec<String> =
        nodes.get("node-2").await.unwrap().spec.taints.into_iter().map(|taint| taint.effect).collect();
    assert_eq!(taints, ["NoSchedule", "NoExecute"]);
    for member in lost {
        lab.cluster.start(member).unwrap();
    }
    wait_for("the node to recover", || async {
        let node = nodes.get("node-2").await.map_err(|error| error.to_string())?;
        let left = pods(&lab).list("", "spec.nodeName=node-2").await.map_err(|error| error.to_string())?;
        if left.is_empty() && node.spec.taints.is_empty() {
            Ok(())
        } else {
            Err(format!("{} {:?}", left.len(), node.spec.taints))
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_budget_counts_and_endpoints_follow() {
    let lab = Lab::of(1, 1, 2).await.unwrap();
    lab.create(KUBIA).await.unwrap();
    lab.create("apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: kubia}\nspec: {minAvailable: 3, selector: {matchLabels: {app: kubia}}}")
        .await
        .unwrap();
    lab.rolled_out("kubia").await.unwrap();
    let budgets: Api<PodDisruptionBudget> = Api::new(lab.client.clone(), "default");
    let budget = async |healthy: i32, allowed: i32| {
        wait_for("the budget", || async {
            let status = budgets.get("kubia").await.unwrap().status;
            if (status.current_healthy, status.disruptions_allowed) == (healthy, allowed) {
                Ok(())
            } else {
                Err(status)
            }
        })
        .await
        .unwrap();
    };
    budget(3, 0).await;
    let shown = lab.ctl().unwrap().run("get pdb kubia").await.unwrap();
    assert!(shown.stdout.contains("N/A"), "{}", shown.stdout);
    lab.deployments().patch("kubia", &json!({"spec": {"replicas": 5}})).await.unwrap();
    lab.rolled_out("kubia").await.unwrap();
    budget(5, 2).await;
    let endpoints: Api<Endpoints> = Api::new(lab.client.clone(), "default");
    wait_for("five endpoints", || async {
        let found = endpoints.get("kubia").await.map_err(|error| error.to_string())?;
        let ready: usize = found.subsets.iter().map(|subset| subset.addresses.len()).sum();
        holds(ready == 5, format!("{ready}"))
    })
    .await
    .unwrap();
    let services: Api<Service> = Api::new(lab.client.clone(), "default");
    services.delete("kubia", DeleteParams::default()).await.unwrap();
    wait_for("the endpoints to go with their service", || async {
        let (slices, left) = (lab.list(Kind::EndpointSlice).await.unwrap(), endpoints.list("", "").await.unwrap());
        let of_kubia = slices.iter().filter(|slice| slice.meta().name.starts_with("kubia")).count();
        holds(of_kubia == 0 && left.iter().all(|one| one.metadata.name != "kubia"), of_kubia)
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_client_with_affinity_keeps_its_pod() {
    let lab = Lab::of(1, 1, 2).await.unwrap();
    lab.create(KUBIA).await.unwrap();
    lab.rolled_out("kubia").await.unwrap();
    let services: Api<Service> = Api::new(lab.client.clone(), "default");
    let address = lab.service_address().await.unwrap();
    let pods_asked = async || {
        let mut names = std::collections::BTreeSet::new();
        for _ in 0..30 {
            names.insert(squall_checkers::traffic::get(address).await.map_err(|error| error.to_string())?);
        }
        Ok::<_, String>(names)
    };
    wait_for("several pods", || async {
        let names = pods_asked().await?;
        holds(names.len() > 1, format!("{names:?}"))
    })
    .await
    .unwrap();
    services.patch("kubia", &json!({"spec": {"sessionAffinity": "ClientIP"}})).await.unwrap();
    wait_for("one pod", || async {
        let names = pods_asked().await?;
        holds(names.len() == 1, format!("{names:?}"))
    })
    .await
    .unwrap();
}

/// As in Kubernetes, the ReplicaSet and its Deployment show a quota's refusal.
#[tokio::test]
async fn a_quota_that_stops_a_rollout_is_shown_where_one_looks() {
    let lab = Lab::of(1, 1, 2).await.unwrap();
    lab.create("apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: few}\nspec: {hard: {pods: '2'}}").await.unwrap();
    lab.create(KUBIA).await.unwrap();
    wait_for("the failure to be shown", || async {
        let deployment = lab.deployments().get("kubia").await.map_err(|error| error.to_string())?;
        let failure = deployment.status.conditions.iter().find(|condition| condition.r#type == "ReplicaFailure");
        let text = failure.map(|condition| condition.message.clone()).unwrap_or_default();
        holds(text.contains("exceeded quota: few"), format!("{:?}", deployment.status))
    })
    .await
    .unwrap();
    let sets: Api<ReplicaSet> = Api::new(lab.client.clone(), "default");
    let set = sets.list("", "").await.unwrap().remove(0);
    assert_eq!((set.status.replicas, set.status.conditions[0].reason.as_str()), (2, "FailedCreate"));
    lab.client
        .delete(&squall_client::ResourceRef::object(Kind::ResourceQuota, "default", "few"), Default::default())
        .await
        .unwrap();
    lab.rolled_out("kubia").await.unwrap();
    wait_for("the failure to be over", || async {
        let set = sets.get(&set.metadata.name).await.map_err(|error| error.to_string())?;
        holds(set.status.conditions.is_empty(), format!("{:?}", set.status))
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn an_orphan_is_adopted_and_nothing_is_left_behind() {
    let lab = Lab::of(1, 1, 2).await.unwrap();
    lab.create(KUBIA_ALONE).await.unwrap();
    lab.rolled_out("kubia").await.unwrap();
    let ctl = lab.ctl().unwrap();
    let uids = async || {
        let mut uids: Vec<String> =
            lab.list(Kind::Pod).await.unwrap().iter().map(|pod| pod.meta().uid.clone()).collect();
        uids.sort();
        uids
    };
    let before = uids().await;
    ctl.run("delete deployment kubia --cascade=orphan").await.unwrap();
    let sets: Api<ReplicaSet> = Api::new(lab.client.clone(), "default");
    wait_for("the set to be an orphan", || async {
        let set = sets.list("", "").await.unwrap().remove(0);
        holds(set.metadata.owner_references.is_empty(), set.metadata.owner_references)
    })
    .await
    .unwrap();
    lab.create(KUBIA_ALONE).await.unwrap();
    lab.rolled_out("kubia").await.unwrap();
    assert_eq!(uids().await, before, "the pods were adopted with their set");
    ctl.run("delete deployment kubia --cascade=foreground").await.unwrap();
    wait_for("everything to be gone", || async {
        let left = (lab.list(Kind::ReplicaSet).await.unwrap().len(), lab.list(Kind::Pod).await.unwrap().len());
        holds(left == (0, 0), left)
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_namespace_that_is_deleted_leaves_nothing() {
    let lab = Lab::of(1, 1, 1).await.unwrap();
    let ctl = lab.ctl().unwrap();
    let file = lab.cluster.folder().join("kubia.yaml");
    std::fs::write(&file, "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}").unwrap();
    ctl.succeed(&format!("apply -f {}", file.display())).await.unwrap();
    std::fs::write(&file, KUBIA).unwrap();
    ctl.succeed(&format!("apply -n shop -f {}", file.display())).await.unwrap();
    let count = async |kind: Kind| {
        let collection = squall_client::ResourceRef::collection(kind, "shop");
        lab.client.list(&collection, "", "", "").await.unwrap().1.len()
    };
    wait_for("pods and events", || async {
        let found = (count(Kind::Pod).await, count(Kind::Event).await);
        holds(found.0 == 3 && found.1 > 3, found)
    })
    .await
    .unwrap();
    ctl.succeed("delete namespace shop").await.unwrap();
    wait_for("the namespace to be gone", || async {
        let names = ctl.run("get namespaces").await.unwrap().stdout;
        holds(!names.contains("shop"), names)
    })
    .await
    .unwrap();
    for kind in Kind::ALL.iter().filter(|kind| kind.info().is_namespaced()) {
        assert_eq!(count(*kind).await, 0, "{kind:?}");
    }
}

#[tokio::test]
async fn a_node_that_is_deleted_registers_again() {
    let lab = Lab::of(1, 1, 2).await.unwrap();
    lab.create(KUBIA).await.unwrap();
    lab.rolled_out("kubia").await.unwrap();
    let nodes: Api<Node> = Api::new(lab.client.clone(), "");
    let before = nodes.get("node-1").await.unwrap().metadata.uid;
    nodes.delete("node-1", DeleteParams::default()).await.unwrap();
    wait_for("the node to be there again", || async {
        let node = nodes.get("node-1").await.map_err(|error| error.to_string())?;
        let ready = node.status.conditions.iter().any(|c| c.r#type == "Ready" && c.status == "True");
        holds(ready && node.metadata.uid != before, node.metadata.uid)
    })
    .await
    .unwrap();
    lab.rolled_out("kubia").await.unwrap();
}
