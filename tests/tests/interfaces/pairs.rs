//! Tests that a second manifest of an object replaces the first one, whichever way it comes: `apply`, `apply
//! --server-side`, `edit` and `replace` of real kubectl. The stored object is then what the second manifest alone makes.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends where it fails")]

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use squall_tests::kubectl::Kubectl;
use squall_tests::manifests::Manifests;
use squall_tests::transcript::Shell;
use squall_tests::{Lab, Scratch};

/// Number of pairs of manifests for each way, in every run of the tests.
const FEW: usize = 60;
/// In `./check full`: number of clusters, because one has too few addresses for all services, and of pairs in each.
const PORTIONS: u64 = 8;
const MANY: usize = 250;

/// How the second manifest comes.
const WAYS: [&str; 4] = ["apply", "server-side", "edit", "replace"];

/// Annotations that the server and kubectl add by themselves.
const OWN_ANNOTATIONS: [&str; 2] =
    ["kubectl.kubernetes.io/last-applied-configuration", "deployment.kubernetes.io/revision"];
/// Fields that the server allots.
const ALLOTTED: [&str; 4] = ["clusterIP", "clusterIPs", "healthCheckNodePort", "nodePort"];

/// Puts the second manifests in the place of the objects that an editor opens.
const EDITOR: &str = r#"import json, sys
second = {(o["kind"], o["metadata"]["name"]): o for o in json.load(open(sys.argv[1]))["items"]}
opened = json.load(open(sys.argv[2]))
for item in opened.get("items", [opened]):
    new = second[(item["kind"], item["metadata"]["name"])]
    for field in set(item) | set(new):
        if field in ("spec", "data", "binaryData"):
            item.pop(field, None)
            if field in new:
                item[field] = new[field]
    for field in ("labels", "annotations"):
        item["metadata"].pop(field, None)
        if field in new["metadata"]:
            item["metadata"][field] = new["metadata"][field]
    spec = item.get("spec") or {}
    if item["kind"] == "Service":
        spec["clusterIP"] = ALLOTTED[item["metadata"]["name"]]
json.dump(opened, open(sys.argv[2], "w"), indent=1)
"#;

fn list(items: &[Value]) -> String {
    json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()
}

/// Kubernetes refuses such a pair with server-side apply: nobody owns the default of `rollingUpdate`, so that it stays
/// beside the type `Recreate`.
fn keeps_a_default([first, second]: &[Value; 2]) -> bool {
    let has_default =
        first["spec"]["strategy"]["type"] != "Recreate" && first["spec"]["strategy"]["rollingUpdate"].is_null();
    has_default && second["spec"]["strategy"]["type"] == "Recreate"
}

/// Returns the part of an object that is compared.
fn content(object: &Value) -> Value {
    let mut content = object.clone();
    let fields = content.as_object_mut().unwrap();
    fields.retain(|field, _| matches!(field.as_str(), "spec" | "data" | "binaryData" | "metadata"));
    let metadata = fields["metadata"].as_object_mut().unwrap();
    metadata.retain(|field, _| matches!(field.as_str(), "labels" | "annotations"));
    if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.retain(|key, _| !OWN_ANNOTATIONS.contains(&key.as_str()));
    }
    metadata.retain(|_, map| map.as_object().is_some_and(|map| !map.is_empty()));
    if let Some(spec) = content["spec"].as_object_mut() {
        spec.retain(|field, _| !ALLOTTED.contains(&field.as_str()));
        for port in spec.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
            port.as_object_mut().unwrap().retain(|field, _| !ALLOTTED.contains(&field.as_str()));
        }
    }
    content
}

async fn kubectl(shell: &Shell, words: &str) -> String {
    let output = shell.run(&format!("kubectl {words}")).await.unwrap();
    assert_eq!(output.code, 0, "kubectl {words}: {}", output.stderr.chars().take(3_000).collect::<String>());
    output.stdout
}

async fn stored(shell: &Shell, namespace: &str) -> BTreeMap<String, Value> {
    let text = kubectl(shell, &format!("get configmaps,services,deployments -o json -n {namespace}")).await;
    let all: Value = serde_json::from_str(&text).unwrap();
    let named = |object: &Value| (object["metadata"]["name"].as_str().unwrap().to_owned(), object.clone());
    all["items"].as_array().unwrap().iter().map(named).collect()
}

/// Sends the first manifests and then the second ones, and compares the result with that of the second ones alone.
async fn compare(shell: &Shell, folder: &Path, way: &str, seed: u64, count: usize) {
    let mut manifests = Manifests::of(seed);
    let mut draw = |number| loop {
        let pair = manifests.pair(&format!("m-{number}"));
        if way != "server-side" || !keeps_a_default(&pair) {
            return pair;
        }
    };
    let pairs: Vec<[Value; 2]> = (0..count).map(&mut draw).collect();
    let sides: [Vec<Value>; 2] = std::array::from_fn(|side| pairs.iter().map(|pair| pair[side].clone()).collect());
    for (side, name) in sides.iter().zip(["first.json", "second.json"]) {
        std::fs::write(folder.join(name), list(side)).unwrap();
    }
    let alone = format!("alone-{way}");
    for namespace in [way, &alone] {
        kubectl(shell, &format!("create namespace {namespace}")).await;
    }
    kubectl(shell, &format!("create -f second.json -n {alone}")).await;
    match way {
        "apply" => {
            kubectl(shell, &format!("apply -f first.json -n {way}")).await;
            kubectl(shell, &format!("apply -f second.json -n {way}")).await;
        }
        "server-side" => {
            kubectl(shell, &format!("apply --server-side -f first.json -n {way}")).await;
            kubectl(shell, &format!("apply --server-side -f second.json -n {way}")).await;
        }
        "edit" => {
            kubectl(shell, &format!("create -f first.json -n {way}")).await;
            let addresses: BTreeMap<String, Value> = stored(shell, way)
                .await
                .into_iter()
                .map(|(name, object)| (name, object["spec"]["clusterIP"].clone()))
                .collect();
            let script = format!("ALLOTTED = {}\n{EDITOR}", json!(addresses).to_string().replace("null", "None"));
            std::fs::write(folder.join("editor.py"), script).unwrap();
            let edit = format!("edit -f first.json -o json -n {way}");
            let words = format!("KUBE_EDITOR='python3 editor.py second.json' kubectl {edit}");
            let output = shell.run(&words).await.unwrap();
            assert_eq!(output.code, 0, "{edit}: {}", output.stderr.chars().take(3_000).collect::<String>());
        }
        _ => {
            kubectl(shell, &format!("create -f first.json -n {way}")).await;
            kubectl(shell, &format!("replace -f second.json -n {way}")).await;
        }
    }
    let (found, wanted) = (stored(shell, way).await, stored(shell, &alone).await);
    for (number, pair) in pairs.iter().enumerate() {
        let name = format!("m-{number}");
        let (found, wanted) = (content(&found[&name]), content(&wanted[&name]));
        if found != wanted {
            panic!(
                "{way}, seed {seed}, {name}: first\n{}\nsecond\n{}\nstored\n{found}\nalone\n{wanted}",
                pair[0], pair[1]
            );
        }
    }
}

async fn compare_all(seed: u64, count: usize) {
    let Some(kubectl) = Kubectl::installed().pop() else {
        return super::kubectl::skipped("kubectl is not installed here");
    };
    let lab = Lab::of(1, 1, 0).await.unwrap();
    let (scratch, _) = Scratch::new().unwrap();
    let shell = kubectl.shell(scratch.path(), &lab.cluster.kubeconfig());
    for way in WAYS {
        compare(&shell, scratch.path(), way, seed, count).await;
    }
}

#[tokio::test]
async fn a_second_manifest_replaces_the_first() {
    compare_all(1, FEW).await;
}

/// `./check full` runs this one.
#[tokio::test]
#[ignore = "takes minutes"]
async fn two_thousand_second_manifests_replace_the_first() {
    // In portions, because the range of services' addresses is small.
    for portion in 0..PORTIONS {
        compare_all(2 + portion, MANY).await;
    }
}
