//! Sends the table of objects (`tests/validation`) to a real apiserver, over REST and over gRPC, as dry runs.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

use serde_json::{Map, Value, json};
use squall_api::{Kind, KindInfo, Object, manifest};
use squall_client::{Kubeconfig, ResourceRef, WriteOptions};
use squall_tests::Lab;
use squall_tests::raw::{Identity, Raw};

/// A case that is created: its object, and the errors that are expected.
struct Case {
    kind: Kind,
    name: String,
    object: Value,
    errors: Vec<String>,
    warnings: Vec<String>,
}

impl Case {
    fn read(kind: Kind, case: &Map<String, Value>) -> Self {
        let mut object = json!({"apiVersion": kind.info().api_version(), "kind": kind.info().kind});
        for (key, value) in case {
            if !["case", "errors", "becomes", "warnings"].contains(&key.as_str()) {
                object[key] = value.clone();
            }
        }
        object["metadata"]["name"] = object["metadata"].get("name").cloned().unwrap_or_else(|| json!("x"));
        if kind.info().is_namespaced() {
            object["metadata"]["namespace"] = json!("default");
        }
        let texts = |key: &str| -> Vec<String> {
            let texts = case.get(key).and_then(Value::as_array).into_iter().flatten();
            texts.map(|text| text.as_str().unwrap().to_owned()).collect()
        };
        let (errors, warnings) = (texts("errors"), texts("warnings"));
        Self { kind, name: case["case"].to_string(), object, errors, warnings }
    }

    /// The message that a client gets; `None` if the object is valid.
    fn message(&self) -> Option<String> {
        let KindInfo { kind, group, .. } = self.kind.info();
        let kind = if group.is_empty() { (*kind).to_owned() } else { format!("{kind}.{group}") };
        let name = self.object["metadata"]["name"].as_str().unwrap();
        match self.errors.as_slice() {
            [] => None,
            [error] => Some(format!("{kind} \"{name}\" is invalid: {error}")),
            errors => Some(format!("{kind} \"{name}\" is invalid: [{}]", errors.join(", "))),
        }
    }

    fn path(&self) -> String {
        let info = self.kind.info();
        let place = if info.is_namespaced() { "namespaces/default/" } else { "" };
        let root = if info.group.is_empty() { "api" } else { "apis" };
        format!("/{root}/{}/{place}{}?dryRun=All", info.api_version(), info.plural)
    }
}

/// The cases that create an object.
fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for entry in std::fs::read_dir("validation").unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let table = manifest::documents(&text).unwrap().remove(0);
        let kind = *Kind::ALL.iter().find(|kind| kind.info().kind == table["kind"]).unwrap();
        let all = table["cases"].as_array().unwrap().iter().map(|case| case.as_object().unwrap());
        cases.extend(all.filter(|case| !case.contains_key("old")).map(|case| Case::read(kind, case)));
    }
    cases
}

#[tokio::test]
async fn a_pod_needs_what_it_refers_to() {
    let lab = Lab::of(1, 1, 0).await.unwrap();
    let of = async |fields: &str| {
        let pod = format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: x}}, spec: {{{fields}, containers: [{{name: a, image: b}}]}}}}"
        );
        lab.create(&pod).await.err().map(|error| error.to_string()).unwrap_or_default()
    };
    assert_eq!(
        of("serviceAccountName: nobody").await,
        "pods \"x\" is forbidden: error looking up service account default/nobody: serviceaccount \"nobody\" not found"
    );
    assert_eq!(
        of("priorityClassName: mine").await,
        "pods \"x\" is forbidden: no PriorityClass with name mine was found"
    );
    assert_eq!(
        of("runtimeClassName: mine").await,
        "pods \"x\" is forbidden: pod rejected: RuntimeClass \"mine\" not found"
    );
    assert_eq!(of("priorityClassName: system-node-critical").await, "");
}

#[tokio::test]
async fn faulty_objects_are_refused_with_the_words_of_kubernetes_over_rest_and_grpc() {
    let lab = Lab::of(1, 1, 0).await.unwrap();
    let entry = Kubeconfig::read(&lab.cluster.kubeconfig()).unwrap().current().unwrap();
    let raw = Raw::of(entry).unwrap();
    // Some pods refer to this account. One that has no valid name cannot exist, and neither can such a class.
    lab.create("{apiVersion: v1, kind: ServiceAccount, metadata: {name: d}}").await.unwrap();
    let cases: Vec<Case> = cases()
        .into_iter()
        .filter(|case| {
            let names = ["serviceAccountName", "priorityClassName", "runtimeClassName"];
            names.iter().all(|name| case.object["spec"][name] != "A")
        })
        .collect();
    let faulty = cases.iter().filter_map(|case| Some((case, case.message()?)));
    let (mut count, mut wrong) = (0, Vec::new());
    for (case, message) in faulty {
        count += 1;
        let (code, answer) = raw
            .ask(Identity::User, "POST", &case.path(), "application/json", case.object.to_string().as_bytes())
            .await
            .unwrap();
        let status = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        let status: Value = serde_json::from_str(status.trim()).unwrap_or(Value::Null);
        if code != 422 || status["message"] != message.as_str() {
            wrong.push(format!("{} over REST: {code} {}\n  expected {message}", case.name, status["message"]));
        }
        let object = Object::from_json(case.kind, case.object.clone()).unwrap();
        let resource = ResourceRef::collection(case.kind, &object.meta().namespace);
        let options = WriteOptions { dry_run: true, ..WriteOptions::default() };
        let answer = lab.client.create(&resource, squall_client::manifest(&object), options).await;
        let got = answer.err().map(|error| error.to_string());
        if got.as_deref() != Some(message.as_str()) {
            wrong.push(format!("{} over gRPC: {got:?}\n  expected {message}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{} of {count} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count >= 400, "only {count} faulty objects");
}

#[tokio::test]
async fn valid_objects_are_taken_with_the_warnings_of_kubernetes() {
    let lab = Lab::of(1, 1, 0).await.unwrap();
    let raw = Raw::of(Kubeconfig::read(&lab.cluster.kubeconfig()).unwrap().current().unwrap()).unwrap();
    // Those with an address that is not this cluster's are refused for it.
    let remarked = cases().into_iter().filter(|case| !case.warnings.is_empty() && case.kind != Kind::Service);
    let mut count = 0;
    for case in remarked {
        count += 1;
        let body = case.object.to_string();
        let answer = raw.ask(Identity::User, "POST", &case.path(), "application/json", body.as_bytes()).await;
        let (code, answer) = answer.unwrap();
        let head = answer.split_once("\r\n\r\n").map_or("", |(head, _)| head);
        let texts = head.lines().filter_map(|line| line.strip_prefix("warning: 299 - \"")?.strip_suffix('"'));
        let texts: Vec<String> = texts.map(|text| text.replace("\\\"", "\"")).collect();
        assert_eq!((code, &texts), (201, &case.warnings), "{}", case.name);
    }
    assert!(count >= 20, "only {count} objects with warnings");

    // An update that changes the template is remarked again, and one of the labels is not.
    let manifest = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: x}, spec: {selector: {matchLabels: {a: b}}, \
                    template: {metadata: {labels: {a: b}}, spec: {containers: [{name: a, image: b, env: [{name: A, value: x}, \
                    {name: A, value: z}]}]}}}}";
    let ctl = lab.ctl().unwrap();
    let remark = "Warning: spec.template.spec.containers[0].env[1]: hides previous definition of \"A\"";
    let created = ctl.run_with("create -f -", manifest).await.unwrap();
    assert!(created.code == 0 && created.stderr.contains(remark), "{created:?}");
    let labelled = ctl.run("label deployment x tier=web").await.unwrap();
    assert_eq!((labelled.code, labelled.stderr.as_str()), (0, ""));
    let scaled = ctl.run("patch deployment x -p {\"spec\":{\"replicas\":2}}").await.unwrap();
    assert!(scaled.code == 0 && scaled.stderr.contains(remark), "{scaled:?}");
}
