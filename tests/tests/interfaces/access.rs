//! Stored roles and bindings: they are enforced, nobody gives more than they have, and reviews tell of them.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

use serde_json::{Value, json};
use squall_api::rbac::v1::ClusterRole;
use squall_client::{Api, Kubeconfig};
use squall_tests::raw::{Identity, Raw};
use squall_tests::{Lab, wait_for};

const ROLES: &str = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles";
const BINDINGS: &str = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings";
const MAPS: &str = "/api/v1/namespaces/default/configmaps";

/// Somebody who asks.
struct Asker(Raw);

impl Asker {
    async fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let kind = if method == "PATCH" { "application/apply-patch+yaml" } else { "application/json" };
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let (code, answer) = self.0.ask(Identity::User, method, path, kind, text.as_bytes()).await.unwrap();
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        (code, serde_json::from_str(body).unwrap_or(Value::Null))
    }

    async fn get(&self, path: &str) -> u16 {
        self.ask("GET", path, &Value::Null).await.0
    }
}

async fn askers(lab: &Lab) -> (Asker, Asker) {
    let raw = Raw::of(Kubeconfig::read(&lab.cluster.kubeconfig()).unwrap().current().unwrap()).unwrap();
    let eve = raw.with_line("Impersonate-User: eve");
    // The controller-manager joins the rules of the first roles: those of view are in edit, and those of edit in admin.
    let joined = wait_for("the rules of the role admin", || async {
        let roles = Api::<ClusterRole>::new(lab.client.clone(), "");
        let role = roles.get("admin").await.map_err(|error| error.to_string())?;
        let has_all = role.rules.iter().any(|rule| rule.resources.iter().any(|resource| resource == "pods/log"));
        if has_all { Ok(()) } else { Err(format!("it has {:?}", role.rules)) }
    });
    joined.await.unwrap();
    (Asker(raw), Asker(eve))
}

fn binding(name: &str, kind: &str, role: &str) -> Value {
    json!({"metadata": {"name": name}, "roleRef": {"kind": kind, "name": role},
        "subjects": [{"kind": "User", "name": "eve"}]})
}

#[tokio::test]
async fn a_binding_gives_its_rights_and_takes_them_with_it() {
    let lab = Lab::of(3, 1, 0).await.unwrap();
    let (admin, eve) = askers(&lab).await;
    assert_eq!(eve.get(MAPS).await, 403);
    assert_eq!(admin.ask("POST", BINDINGS, &binding("b", "ClusterRole", "view")).await.0, 201);
    // Each member knows it soon; this one has written it.
    let seen =
        wait_for("the right to list", || async { if eve.get(MAPS).await == 200 { Ok(()) } else { Err("refused") } });
    seen.await.unwrap();
    for (method, path, body) in [
        ("GET", "/api/v1/namespaces/default/secrets".to_owned(), Value::Null),
        ("GET", "/api/v1/namespaces/kube-system/configmaps".to_owned(), Value::Null),
        ("POST", MAPS.to_owned(), json!({"metadata": {"name": "x"}})),
        ("PATCH", format!("{MAPS}/x?fieldManager=a"), json!({"apiVersion": "v1", "kind": "ConfigMap"})),
        ("DELETE", format!("{MAPS}/kube-root-ca.crt"), Value::Null),
    ] {
        assert_eq!(eve.ask(method, &path, &body).await.0, 403, "{method} {path}");
    }
    assert_eq!(admin.ask("DELETE", &format!("{BINDINGS}/b"), &Value::Null).await.0, 200);
    let gone = wait_for("the refusal", || async { if eve.get(MAPS).await == 403 { Ok(()) } else { Err("allowed") } });
    gone.await.unwrap();
}

/// Kubernetes: whoever may only change objects creates none by an apply or an update.
#[tokio::test]
async fn a_change_that_creates_needs_the_right_to_create() {
    let lab = Lab::of(1, 1, 0).await.unwrap();
    let (admin, eve) = askers(&lab).await;
    let rules = json!([{"apiGroups": ["", "coordination.k8s.io"], "resources": ["configmaps", "leases"],
        "verbs": ["get", "patch", "update"]}]);
    assert_eq!(admin.ask("POST", ROLES, &json!({"metadata": {"name": "r"}, "rules": rules})).await.0, 201);
    assert_eq!(admin.ask("POST", BINDINGS, &binding("b", "Role", "r")).await.0, 201);
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"a": "b"}});
    let apply = format!("{MAPS}/x?fieldManager=a");
    let (code, refused) = eve.ask("PATCH", &apply, &map).await;
    assert_eq!(code, 403, "{refused}");
    assert!(refused["message"].as_str().unwrap().contains("User \"eve\" cannot create resource \"configmaps\""));
    let lease = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "x"}});
    let lease_path = "/apis/coordination.k8s.io/v1/namespaces/default/leases/x";
    assert_eq!(eve.ask("PUT", lease_path, &lease).await.0, 403);
    assert_eq!(admin.ask("POST", MAPS, &map).await.0, 201);
    assert_eq!(eve.ask("PATCH", &apply, &map).await.0, 200);
}

#[tokio::test]
async fn nobody_gives_what_they_do_not_have() {
    let lab = Lab::of(1, 1, 0).await.unwrap();
    let (admin, eve) = askers(&lab).await;
    assert_eq!(admin.ask("POST", BINDINGS, &binding("b", "ClusterRole", "admin")).await.0, 201);
    let role = |resource: &str, name: &str| {
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": name},
            "rules": [{"apiGroups": [""], "resources": [resource], "verbs": ["get", "delete"]}]})
    };
    assert_eq!(eve.ask("POST", ROLES, &role("pods", "own")).await.0, 201, "an admin of a namespace makes roles");
    for (method, path, body) in [
        ("POST", ROLES.to_owned(), role("nodes", "more")),
        ("PUT", format!("{ROLES}/own"), role("nodes", "own")),
        ("PATCH", format!("{ROLES}/own?fieldManager=a&force=true"), role("nodes", "own")),
        ("PATCH", format!("{ROLES}/more?fieldManager=a"), role("nodes", "more")),
        ("POST", BINDINGS.to_owned(), binding("c", "ClusterRole", "cluster-admin")),
    ] {
        let (code, refused) = eve.ask(method, &path, &body).await;
        let message = refused["message"].as_str().unwrap_or_default();
        assert_eq!(code, 403, "{method} {path}: {refused}");
        assert!(message.contains("is attempting to grant RBAC permissions not currently held:\n{"), "{message}");
    }
    // A role that does not exist yet could become a strong one.
    assert_eq!(eve.ask("POST", BINDINGS, &binding("c", "ClusterRole", "not-yet")).await.0, 404);
    assert_eq!(eve.ask("POST", BINDINGS, &binding("c", "ClusterRole", "edit")).await.0, 201);
    assert_eq!(admin.ask("POST", ROLES, &role("nodes", "more")).await.0, 201);
}

/// A label makes a role a part of another one: whoever may only write roles cannot lend themselves an administrator's.
#[tokio::test]
async fn nobody_lends_themselves_a_role_by_its_label() {
    let lab = Lab::of(1, 1, 0).await.unwrap();
    let (admin, eve) = askers(&lab).await;
    let roles = "/apis/rbac.authorization.k8s.io/v1/clusterroles";
    let bindings = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings";
    let writer = json!({"metadata": {"name": "writer"}, "rules": [{"apiGroups": ["rbac.authorization.k8s.io"],
        "resources": ["clusterroles"], "verbs": ["get", "patch", "update"]}]});
    assert_eq!(admin.ask("POST", roles, &writer).await.0, 201);
    for role in ["writer", "view"] {
        assert_eq!(admin.ask("POST", bindings, &binding(role, "ClusterRole", role)).await.0, 201);
    }
    let label = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": {"labels": {"rbac.authorization.k8s.io/aggregate-to-view": "true"}}});
    let (code, refused) = eve.ask("PATCH", &format!("{roles}/cluster-admin?fieldManager=a"), &label).await;
    assert_eq!(code, 403, "{refused}");
}

/// Kubernetes: a namespace is in itself.
#[tokio::test]
async fn a_binding_in_a_namespace_permits_to_read_it() {
    let lab = Lab::of(1, 1, 0).await.unwrap();
    let (admin, eve) = askers(&lab).await;
    assert_eq!(admin.ask("POST", BINDINGS, &binding("b", "ClusterRole", "view")).await.0, 201);
    assert_eq!(eve.get("/api/v1/namespaces/default").await, 200);
    assert_eq!(eve.get("/api/v1/namespaces/kube-system").await, 403);
    assert_eq!(eve.get("/api/v1/namespaces").await, 403);
}

#[tokio::test]
async fn reviews_tell_who_may_do_what_and_why() {
    let lab = Lab::of(1, 1, 0).await.unwrap();
    let (admin, eve) = askers(&lab).await;
    assert_eq!(admin.ask("POST", BINDINGS, &binding("b", "ClusterRole", "view")).await.0, 201);
    let review = |kind: &str| format!("/apis/authorization.k8s.io/v1/{kind}");
    let asked = |verb: &str, namespace: &str| json!({"spec": {"user": "eve", "resourceAttributes": {"verb": verb, "resource": "pods", "namespace": namespace}}});
    let others = review("subjectaccessreviews");
    let (code, answer) = admin.ask("POST", &others, &asked("list", "default")).await;
    assert_eq!((code, &answer["status"]["allowed"]), (201, &json!(true)));
    let reason = "RBAC: allowed by RoleBinding \"b/default\" of ClusterRole \"view\" to User \"eve\"";
    assert_eq!(answer["status"]["reason"], reason);
    for (verb, namespace) in [("delete", "default"), ("list", ""), ("list", "kube-system"), ("invent", "default")] {
        let (_, answer) = admin.ask("POST", &others, &asked(verb, namespace)).await;
        assert_eq!(answer["status"]["allowed"], false, "{verb} {namespace:?}");
    }
    let local = review("namespaces/default/localsubjectaccessreviews");
    assert_eq!(admin.ask("POST", &local, &asked("list", "default")).await.1["status"]["allowed"], true);
    assert_eq!(admin.ask("POST", &local, &asked("list", "kube-system")).await.0, 400);
    assert_eq!(eve.ask("POST", &others, &asked("list", "default")).await.0, 403, "not everybody asks about others");
    let rules = review("selfsubjectrulesreviews");
    let (_, answer) = eve.ask("POST", &rules, &json!({"spec": {"namespace": "default"}})).await;
    let shown = answer["status"]["resourceRules"].to_string();
    assert!(shown.contains("endpointslices") && !shown.contains("secrets"), "{shown}");

    let ctl = lab.ctl().unwrap();
    assert_eq!(ctl.run("auth can-i bind clusterroles").await.unwrap().stdout, "yes\n", "an administrator may");
    let list = ctl.run("auth can-i --list").await.unwrap().stdout;
    assert!(list.starts_with("Resources") && list.contains("*.*"), "{list}");
}
