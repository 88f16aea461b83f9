//! Tests that a node that was lost comes back in one step: it becomes ready once, and its pods restart where they were.

use std::cell::RefCell;
use std::collections::BTreeSet;

use squall_api::coordination::v1::Lease;
use squall_api::core::v1::{Node, Pod};
use squall_api::{Kind, Object};
use squall_client::{Api, Event, Selection, Watch};
use squall_cluster::{MemberName, Role};
use squall_tests::{Lab, holds, wait_for};

const KUBIA: &str = include_str!("../../../examples/chapter/kubia-deployment-and-service-v1.yaml");

fn ready(node: &Node) -> String {
    let ready = node.status.conditions.iter().find(|condition| condition.r#type == "Ready");
    ready.map(|condition| condition.status.clone()).unwrap_or_default()
}

/// The changes that a watch has seen: values of the node's Ready condition, phases and restarts of its pods.
#[derive(Debug, Default)]
struct Seen {
    ready: Vec<String>,
    phases: Vec<String>,
    most_restarts: i32,
}

impl Seen {
    fn note(&mut self, object: &Object) {
        match object {
            Object::Node(node) if self.ready.last() != Some(&ready(node)) => self.ready.push(ready(node)),
            Object::Pod(pod) => {
                self.phases.push(pod.status.phase.clone());
                let restarts = pod.status.container_statuses.iter().map(|status| status.restart_count);
                self.most_restarts = self.most_restarts.max(restarts.sum());
            }
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_node_that_returns_is_ready_once_and_its_pods_stay_running() {
    let mut lab = Lab::of(1, 1, 1).await.unwrap();
    lab.create(KUBIA).await.unwrap();
    lab.rolled_out("kubia").await.unwrap();
    let members = [Role::Kubelet, Role::Runtime].map(|role| MemberName { role, index: 0 });
    lab.cluster.kill_all(&members).unwrap();
    let nodes: Api<Node> = Api::new(lab.client.clone(), "");
    wait_for("the node to be given up", || async {
        let node = nodes.get("node-0").await.map_err(|error| error.to_string())?;
        holds(ready(&node) == "Unknown", ready(&node))
    })
    .await
    .unwrap();

    let mut seen = Seen::default();
    let mut watches = [Kind::Node, Kind::Pod].map(|kind| Watch::new(lab.client.clone(), Selection::all(kind)));
    let [of_nodes, of_pods] = &mut watches;
    members.iter().for_each(|member| lab.cluster.start(*member).unwrap());
    let pods: Api<Pod> = Api::new(lab.client.clone(), "default");
    let back = wait_for("the pods to run again", || async {
        let pods = pods.list("", "").await.map_err(|error| error.to_string())?;
        let restarted = |pod: &Pod| pod.status.container_statuses.iter().any(|s| s.ready && s.restart_count == 1);
        holds(pods.len() == 3 && pods.iter().all(restarted), format!("{pods:?}"))
    });
    let watching = async {
        loop {
            let event = tokio::select! {
                event = of_nodes.next() => event,
                event = of_pods.next() => event,
            };
            if let Event::Applied(object, _) = event.unwrap() {
                seen.note(&object);
            }
        }
    };
    // A flap came within 400 ms of the return, before the second heartbeat.
    let leases: Api<Lease> = Api::new(lab.client.clone(), "kube-node-lease");
    let beats = RefCell::new(BTreeSet::new());
    let back = async {
        back.await.unwrap();
        wait_for("three heartbeats", || async {
            let lease = leases.get("node-0").await.map_err(|error| error.to_string())?;
            beats.borrow_mut().insert(lease.metadata.resource_version);
            let count = beats.borrow().len();
            holds(count > 3, count.to_string())
        })
        .await
        .unwrap();
    };
    tokio::select! {
        () = back => {}
        never = watching => never,
    }
    assert_eq!(seen.ready, ["Unknown", "True"], "{seen:?}");
    assert!(seen.phases.iter().all(|phase| phase == "Running"), "{seen:?}");
    assert_eq!(seen.most_restarts, 1, "{seen:?}");
}
