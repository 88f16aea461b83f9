//! Tests where pods are placed, and which reason is reported for those that fit nowhere.

use super::*;
use serde_json::{Value, json};
use squall_api::Kind;
use squall_api::Object;

fn node(name: &str, more: Value) -> Arc<Node> {
    let mut json = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        "status": {"allocatable": {"cpu": "4", "memory": "8Gi", "pods": "9"}}});
    merge(&mut json, more);
    Arc::new(Node::try_from(Object::from_json(Kind::Node, json).unwrap()).unwrap())
}

fn pod(name: &str, more: Value) -> Arc<Pod> {
    let mut json = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"},
        "spec": {"schedulerName": Scheduler::NAME, "containers": [{"name": "a", "image": "x"}]}});
    merge(&mut json, more);
    Arc::new(Pod::try_from(Object::from_json(Kind::Pod, json).unwrap()).unwrap())
}

fn merge(target: &mut Value, more: Value) {
    match (target, more) {
        (Value::Object(target), Value::Object(more)) => {
            more.into_iter().for_each(|(key, value)| merge(target.entry(key).or_insert(Value::Null), value));
        }
        (target, more) => *target = more,
    }
}

fn plain(names: &[&str]) -> Vec<Arc<Node>> {
    names.iter().map(|name| node(name, json!({}))).collect()
}

/// Returns the node of each placed pod, in the order of the pods' names, and the plan.
fn placed(nodes: Vec<Arc<Node>>, waiting: Vec<Arc<Pod>>) -> (Vec<String>, Plan) {
    let there = waiting.iter().filter(|pod| !pod.spec.node_name.is_empty()).cloned().collect();
    let waiting = waiting.into_iter().filter(|pod| pod.spec.node_name.is_empty()).collect();
    let plan = plan(Observed { nodes, placed: there, waiting }, Timestamp::UNIX_EPOCH);
    let bindings = plan.actions.iter().find_map(|action| match action {
        Action::AtOnce(bindings) => Some(bindings.clone()),
        _ => None,
    });
    let mut nodes: Vec<(String, String)> =
        bindings.unwrap_or_default().into_iter().map(|binding| bound(&binding)).collect();
    nodes.sort();
    (nodes.into_iter().map(|(_, node)| node).collect(), plan)
}

fn bound(action: &Action) -> (String, String) {
    match action {
        Action::Telling { action, .. } => match action.as_ref() {
            Action::Bind { name, node, .. } => (name.clone(), node.clone()),
            other => unreachable!("{other:?}"),
        },
        other => unreachable!("{other:?}"),
    }
}

fn why_not(nodes: Vec<Arc<Node>>, pods: Vec<Arc<Pod>>) -> String {
    let (_, plan) = placed(nodes, pods);
    let told = plan.actions.into_iter().find_map(|action| match action {
        Action::Tell(happening) if happening.reason == "FailedScheduling" => Some(happening.message),
        _ => None,
    });
    told.unwrap_or_default()
}

fn of_owner(name: &str) -> Arc<Pod> {
    let owner = json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "rs", "uid": "rs", "controller": true}]);
    pod(name, json!({"metadata": {"ownerReferences": owner}}))
}

#[test]
fn pods_are_spread_over_the_nodes() {
    let (mut nodes, _) =
        placed(plain(&["a", "b", "c"]), vec![pod("1", json!({})), pod("2", json!({})), pod("3", json!({}))]);
    nodes.sort();
    assert_eq!(nodes, ["a", "b", "c"]);
    let big = json!({"spec": {"nodeName": "b", "containers": [{"name": "a", "image": "x", "resources": {"requests": {"cpu": "3"}}}]}});
    let (nodes, _) = placed(plain(&["a", "b"]), vec![pod("0", big), of_owner("1"), of_owner("2")]);
    assert_eq!(nodes, ["a", "b"], "siblings are kept apart, though one node has more capacity left");
}

#[test]
fn a_pod_that_fits_nowhere_says_why() {
    let full = |name: &str, pods: &str| node(name, json!({"status": {"allocatable": {"pods": pods}}}));
    let (nodes, _) = placed(vec![full("a", "1"), full("b", "0")], vec![pod("1", json!({})), pod("2", json!({}))]);
    assert_eq!(nodes, ["a"]);
    assert_eq!(
        why_not(vec![full("a", "0"), full("b", "0")], vec![pod("1", json!({}))]),
        "0/2 nodes are available: 2 Too many pods."
    );
    assert_eq!(why_not(vec![], vec![pod("1", json!({}))]), "no nodes available to schedule pods");
    let large = |resource: &str| json!({"spec": {"containers": [{"name": "a", "image": "x", "resources": {"requests": {resource: "5000000000000"}}}]}});
    assert_eq!(
        why_not(plain(&["a"]), vec![pod("1", large("memory"))]),
        "0/1 nodes are available: 1 Insufficient memory."
    );
    assert_eq!(
        why_not(plain(&["a"]), vec![pod("1", large("example.com/gpu"))]),
        "0/1 nodes are available: 1 Insufficient example.com/gpu."
    );
    let taint = json!({"spec": {"taints": [{"key": "k", "effect": "NoSchedule"}]}});
    let cordoned = json!({"spec": {"unschedulable": true}});
    assert_eq!(
        why_not(vec![node("a", taint), node("b", cordoned)], vec![pod("1", json!({}))]),
        "0/2 nodes are available: 1 node(s) had untolerated taint(s), 1 node(s) were unschedulable."
    );
}

#[test]
fn a_pod_goes_where_its_node_affinity_says() {
    let disk = |kind: &str| json!({"metadata": {"labels": {"disk": kind, "cores": "8"}}});
    let nodes = || vec![node("a", disk("hdd")), node("b", disk("ssd"))];
    let required = |key: &str, operator: &str, values: Value| {
        let terms = json!([{"matchExpressions": [{"key": key, "operator": operator, "values": values}]}]);
        json!({"spec": {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}}})
    };
    for (key, operator, values, expected) in [
        ("disk", "In", json!(["ssd"]), &["b"][..]),
        ("disk", "NotIn", json!(["hdd"]), &["b"]),
        ("cores", "Gt", json!(["7"]), &["a"]),
        ("cores", "Lt", json!(["8"]), &[]),
        ("disk", "DoesNotExist", json!([]), &[]),
    ] {
        let (chosen, _) = placed(nodes(), vec![pod("1", required(key, operator, values))]);
        assert_eq!(chosen, expected, "{key} {operator}");
    }
    let nowhere = pod("1", json!({"spec": {"nodeSelector": {"disk": "tape"}}}));
    assert_eq!(
        why_not(nodes(), vec![nowhere]),
        "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector."
    );
    let preferred = json!([{"weight": 5, "preference": {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]}}]);
    let prefers =
        json!({"spec": {"affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}}}});
    assert_eq!(placed(nodes(), vec![pod("1", prefers)]).0, ["b"]);
}

#[test]
fn a_port_of_a_node_is_taken_once() {
    let port = json!({"spec": {"containers": [{"name": "a", "image": "x", "ports": [{"containerPort": 80, "hostPort": 80}]}]}});
    let (nodes, _) = placed(plain(&["a", "b"]), vec![pod("1", port.clone()), pod("2", port.clone())]);
    assert_eq!(nodes.len(), 2);
    assert_ne!(nodes[0], nodes[1]);
    assert_eq!(
        why_not(plain(&["a"]), vec![pod("1", port.clone()), pod("2", port)]),
        "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports."
    );
}

#[test]
fn a_hard_constraint_of_spread_is_kept() {
    let zone = |zone: &str| json!({"metadata": {"labels": {"zone": zone}}});
    let nodes = || vec![node("a", zone("1")), node("b", zone("1")), node("c", zone("2"))];
    let spread = |name: &str| {
        let constraint = json!([{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": {"app": "kubia"}}}]);
        pod(name, json!({"metadata": {"labels": {"app": "kubia"}}, "spec": {"topologySpreadConstraints": constraint}}))
    };
    let (chosen, _) = placed(nodes(), (1..=6).map(|number| spread(&number.to_string())).collect());
    assert_eq!(chosen.iter().filter(|node| *node == "c").count(), 3, "{chosen:?}");
    let cordoned = node("c", json!({"metadata": {"labels": {"zone": "2"}}, "spec": {"unschedulable": true}}));
    let message = why_not(vec![node("a", zone("1")), cordoned], vec![spread("1"), spread("2")]);
    assert_eq!(
        message,
        "0/2 nodes are available: 1 node(s) didn't match pod topology spread constraints, 1 node(s) were unschedulable."
    );
}

#[test]
fn pods_that_do_not_want_each_other_are_apart_and_those_that_do_together() {
    let term = json!([{"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "kubia"}}}]);
    let affine = |name: &str, how: &str| {
        let rule = json!({how: {"requiredDuringSchedulingIgnoredDuringExecution": term}});
        pod(name, json!({"metadata": {"labels": {"app": "kubia"}}, "spec": {"affinity": rule}}))
    };
    let apart = || (1..=3).map(|number| affine(&number.to_string(), "podAntiAffinity")).collect::<Vec<_>>();
    assert_eq!(placed(plain(&["a", "b", "c"]), apart()).0.len(), 3);
    assert_eq!(
        why_not(plain(&["a", "b"]), apart()),
        "0/2 nodes are available: 2 node(s) didn't match pod anti-affinity rules."
    );
    let innocent = pod("9", json!({"metadata": {"labels": {"app": "kubia"}}}));
    assert_eq!(
        why_not(plain(&["a"]), vec![affine("1", "podAntiAffinity"), innocent]),
        "0/1 nodes are available: 1 node(s) didn't satisfy existing pods anti-affinity rules."
    );
    let (together, _) = placed(plain(&["a", "b"]), vec![affine("1", "podAffinity"), affine("2", "podAffinity")]);
    assert_eq!(together[0], together[1]);
}

#[test]
fn a_node_is_never_booked_twice() {
    let half = json!({"spec": {"containers": [{"name": "a", "image": "x", "resources": {"requests": {"cpu": "2"}}}]}});
    let pods: Vec<Arc<Pod>> = (0..9).map(|number| pod(&number.to_string(), half.clone())).collect();
    let (nodes, _) = placed(plain(&["a", "b"]), pods);
    assert_eq!(nodes.len(), 4, "each node has 4 cpus");
}

#[test]
fn the_more_important_pod_goes_first() {
    let one = node("a", json!({"status": {"allocatable": {"pods": "1"}}}));
    let (_, plan) = placed(vec![one], vec![pod("1", json!({})), pod("2", json!({"spec": {"priority": 9}}))]);
    let first = plan.actions.iter().find_map(|action| match action {
        Action::AtOnce(bindings) => bindings.first().map(bound),
        _ => None,
    });
    assert_eq!(first, Some(("2".to_owned(), "a".to_owned())));
}

#[test]
fn pods_that_fit_nowhere_do_not_keep_others_waiting() {
    let nowhere = json!({"spec": {"nodeSelector": {"disk": "tape"}, "priority": 9}});
    let mut pods: Vec<Arc<Pod>> = (0..300).map(|number| pod(&format!("a-{number}"), nowhere.clone())).collect();
    pods.push(pod("z", json!({})));
    assert_eq!(placed(plain(&["a"]), pods).0, ["a"]);
}
