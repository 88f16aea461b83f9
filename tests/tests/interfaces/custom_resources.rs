//! Kinds that users define: served by every member as long as they are defined, by the rules of their definition.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::fs;

use serde_json::{Value, json};
use squall_client::Kubeconfig;
use squall_tests::raw::{Identity, Raw};
use squall_tests::{Ctl, Lab, wait_for};

const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const WIDGETS: &str = "/apis/example.com/v1/namespaces/default/widgets";
const MERGE: &str = "application/merge-patch+json";
const APPLY: &str = "application/apply-patch+yaml";

fn definition() -> Value {
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"},
        "spec": {"group": "example.com", "scope": "Namespaced",
            "names": {"plural": "widgets", "kind": "Widget", "shortNames": ["wi"], "categories": ["all"]},
            "versions": [{"name": "v1", "served": true, "storage": true,
                "subresources": {"status": {},
                    "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}},
                "selectableFields": [{"jsonPath": ".spec.color"}],
                "additionalPrinterColumns": [{"name": "Replicas", "type": "integer", "jsonPath": ".spec.replicas"}],
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                    "spec": {"type": "object", "required": ["color"], "properties": {
                        "color": {"type": "string", "enum": ["red", "blue"]},
                        "replicas": {"type": "integer", "minimum": 0, "default": 1}}},
                    "status": {"type": "object", "properties": {"replicas": {"type": "integer"}}}}}}}]}})
}

fn widget(name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": name}, "spec": spec})
}

/// An apiserver over REST.
struct Rest(Raw);

impl Rest {
    async fn of(lab: &Lab) -> Self {
        let rest = Self(Raw::of(Kubeconfig::read(&lab.cluster.kubeconfig()).unwrap().current().unwrap()).unwrap());
        assert_eq!(rest.ask("POST", DEFINITIONS, &definition()).await.0, 201);
        let served = wait_for("the kind", || async {
            match rest.ask("GET", WIDGETS, &Value::Null).await {
                (200, _) => Ok(()),
                (code, answer) => Err(format!("{code} {answer}")),
            }
        });
        served.await.unwrap();
        rest
    }

    async fn send(&self, method: &str, path: &str, kind: &str, body: &Value) -> (u16, Value) {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let (code, answer) = self.0.ask(Identity::User, method, path, kind, text.as_bytes()).await.unwrap();
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        (code, serde_json::from_str(body).unwrap_or(Value::Null))
    }

    async fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        self.send(method, path, "application/json", body).await
    }
}

fn message(answer: &Value) -> &str {
    answer["message"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn objects_follow_the_rules_of_their_definition() {
    let lab = Lab::of(3, 1, 0).await.unwrap();
    let rest = Rest::of(&lab).await;
    let (code, made) = rest.ask("POST", WIDGETS, &widget("a", &json!({"color": "red", "unknown": 1}))).await;
    assert_eq!((code, &made["spec"]), (201, &json!({"color": "red", "replicas": 1})), "pruned and filled in");
    for (spec, expected) in [
        (json!({}), "spec.color: Required value"),
        (json!({"color": "green"}), "spec.color: Unsupported value: \"green\": supported values: \"red\", \"blue\""),
        (
            json!({"color": "red", "replicas": -1}),
            "spec.replicas: Invalid value: -1: spec.replicas in body should be greater than or equal to 0",
        ),
    ] {
        let (code, refused) = rest.ask("POST", WIDGETS, &widget("b", &spec)).await;
        assert_eq!(
            (code, message(&refused)),
            (422, format!("Widget.example.com \"b\" is invalid: {expected}").as_str())
        );
    }
    let strict = format!("{WIDGETS}?fieldValidation=Strict");
    let (code, refused) = rest.ask("POST", &strict, &widget("b", &json!({"color": "red", "x": 1}))).await;
    assert_eq!((code, message(&refused)), (400, "strict decoding error: unknown field \"spec.x\""));

    let one = format!("{WIDGETS}/a");
    let (code, patched) =
        rest.send("PATCH", &one, MERGE, &json!({"spec": {"replicas": 2}, "status": {"replicas": 9}})).await;
    assert_eq!((code, &patched["metadata"]["generation"], &patched["status"]), (200, &json!(2), &Value::Null));
    let status = json!({"spec": {"replicas": 7}, "status": {"replicas": 2}});
    let (code, patched) = rest.send("PATCH", &format!("{one}/status"), MERGE, &status).await;
    assert_eq!((code, &patched["spec"]["replicas"], &patched["status"]), (200, &json!(2), &json!({"replicas": 2})));
    let (_, scale) = rest.ask("GET", &format!("{one}/scale"), &Value::Null).await;
    assert_eq!((&scale["spec"]["replicas"], &scale["status"]["replicas"]), (&json!(2), &json!(2)));
    let strategic = "application/strategic-merge-patch+json";
    assert_eq!(rest.send("PATCH", &one, strategic, &json!({"spec": {"replicas": 3}})).await.0, 415);
    let applied = format!("{one}?fieldManager=me");
    let config = widget("a", &json!({"color": "blue"}));
    assert_eq!(rest.send("PATCH", &applied, APPLY, &config).await.0, 409, "another manager owns the color");
    assert_eq!(rest.send("PATCH", &format!("{applied}&force=true"), APPLY, &config).await.0, 200);

    let ctl = lab.ctl().unwrap();
    for (selector, found) in
        [("spec.color=blue", "widget.example.com/a\n"), ("spec.color=red", ""), ("metadata.name=b", "")]
    {
        let listed = ctl.succeed(&format!("get widgets --field-selector {selector} -o name")).await.unwrap();
        assert_eq!(listed.stdout, found, "{selector}");
    }
    let (code, refused) = rest.ask("GET", &format!("{WIDGETS}?fieldSelector=spec.replicas%3D1"), &Value::Null).await;
    assert_eq!((code, message(&refused)), (400, "field label not supported: spec.replicas"));
}

#[tokio::test]
async fn a_change_of_the_schema_holds_from_then_on_and_what_no_longer_fits_can_be_repaired() {
    let lab = Lab::of(3, 1, 0).await.unwrap();
    let rest = Rest::of(&lab).await;
    assert_eq!(rest.ask("POST", WIDGETS, &widget("a", &json!({"color": "red", "replicas": 8}))).await.0, 201);
    let path = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties";
    let stricter = json!([
        {"op": "add", "path": format!("{path}/replicas/maximum"), "value": 5},
        {"op": "add", "path": format!("{path}/size"), "value": {"type": "string", "default": "small"}},
    ]);
    let definition = format!("{DEFINITIONS}/widgets.example.com");
    assert_eq!(rest.send("PATCH", &definition, "application/json-patch+json", &stricter).await.0, 200);
    // No member takes an object by the schema of before, whichever it is.
    for name in ["b", "c", "d", "e"] {
        let (code, refused) = rest.ask("POST", WIDGETS, &widget(name, &json!({"color": "red", "replicas": 6}))).await;
        assert_eq!(code, 422, "{refused}");
    }
    let (_, read) = rest.ask("GET", &format!("{WIDGETS}/a"), &Value::Null).await;
    assert_eq!(read["spec"], json!({"color": "red", "replicas": 8, "size": "small"}), "read with its new default");
    let one = format!("{WIDGETS}/a");
    assert_eq!(
        rest.send("PATCH", &one, MERGE, &json!({"spec": {"color": "blue"}})).await.0,
        200,
        "it changes elsewhere"
    );
    assert_eq!(rest.send("PATCH", &one, MERGE, &json!({"spec": {"replicas": 7}})).await.0, 422);
    assert_eq!(rest.send("PATCH", &one, MERGE, &json!({"spec": {"replicas": 5}})).await.0, 200);
}

#[tokio::test]
async fn a_quota_counts_objects_of_before_and_refuses_more() {
    let lab = Lab::of(1, 1, 0).await.unwrap();
    let rest = Rest::of(&lab).await;
    assert_eq!(rest.ask("POST", WIDGETS, &widget("a", &json!({"color": "red"}))).await.0, 201);
    let quota = json!({"metadata": {"name": "few"}, "spec": {"hard": {"count/widgets.example.com": "2"}}});
    let quotas = "/api/v1/namespaces/default/resourcequotas";
    let (code, counted) = rest.ask("POST", quotas, &quota).await;
    assert_eq!((code, &counted["status"]["used"]), (201, &json!({"count/widgets.example.com": "1"})));
    assert_eq!(rest.ask("POST", WIDGETS, &widget("b", &json!({"color": "red"}))).await.0, 201);
    let (code, refused) = rest.ask("POST", WIDGETS, &widget("c", &json!({"color": "red"}))).await;
    assert!(code == 403 && message(&refused).contains("exceeded quota: few"), "{code} {refused}");
}

#[tokio::test]
async fn definitions_are_checked_and_their_names_are_theirs_alone() {
    let lab = Lab::of(1, 1, 0).await.unwrap();
    let rest = Rest::of(&lab).await;
    let mut other = definition();
    other["metadata"]["name"] = json!("wodgets.example.com");
    other["spec"]["names"]["plural"] = json!("wodgets");
    let (code, refused) =
        rest.ask("POST", DEFINITIONS, &json!({"metadata": {"name": "x"}, "spec": other["spec"]})).await;
    assert!(code == 422 && message(&refused).contains("must be spec.names.plural+\".\"+spec.group"), "{refused}");
    // A kind with the name of a built-in one would share its place in the store.
    let mut lease = definition();
    lease["metadata"] = json!({"name": "leases.coordination.k8s.io",
        "annotations": {"api-approved.kubernetes.io": "https://example.com"}});
    lease["spec"]["group"] = json!("coordination.k8s.io");
    lease["spec"]["names"] = json!({"plural": "leases", "kind": "Lease"});
    let (code, refused) = rest.ask("POST", DEFINITIONS, &lease).await;
    assert!(code == 422 && message(&refused).contains("spec.group"), "{code} {refused}");
    assert_eq!(rest.ask("POST", DEFINITIONS, &other).await.0, 201);
    let conflict = wait_for("the conflict", || async {
        let (_, found) = rest.ask("GET", &format!("{DEFINITIONS}/wodgets.example.com"), &Value::Null).await;
        let conditions = found["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let text = |condition: &Value| format!("{}={} {}", condition["type"], condition["status"], condition["reason"]);
        let texts: Vec<String> = conditions.iter().map(text).collect();
        let wanted =
            ["\"NamesAccepted\"=\"False\" \"ShortNamesConflict\"", "\"Established\"=\"False\" \"NotAccepted\""];
        if texts == wanted { Ok(()) } else { Err(format!("{texts:?}")) }
    });
    conflict.await.unwrap();
    let (code, _) = rest.ask("GET", "/apis/example.com/v1/wodgets", &Value::Null).await;
    assert_eq!(code, 404, "a kind without its names is not served");

    let versions = json!({"spec": {"versions": [{"name": "v2", "served": true, "storage": true,
        "schema": {"openAPIV3Schema": {"type": "object"}}}]}});
    let (code, refused) = rest.send("PATCH", &format!("{DEFINITIONS}/widgets.example.com"), MERGE, &versions).await;
    assert!(
        code == 422 && message(&refused).contains("missing from spec.versions; v1 was previously a storage version"),
        "{refused}"
    );
}

/// The whole life of a kind, as a user of `ctl` sees it.
async fn lives(ctl: &Ctl) {
    ctl.succeed("apply -f widgets.yaml").await.unwrap();
    ctl.succeed("wait --for=condition=Established crd/widgets.example.com").await.unwrap();
    for (words, told) in [
        ("apply -f widget.yaml", "widget.example.com/a created"),
        ("apply -f widget.yaml", "widget.example.com/a unchanged"),
        ("scale widget a --replicas=3", "widget.example.com/a scaled"),
        ("get wi", "NAME   REPLICAS\na      3"),
        ("get widgets.v1.example.com a -o name", "widget.example.com/a"),
        ("get all", "widget.example.com/a   3"),
        ("describe widget a", "Replicas:  3"),
        ("explain wi.spec.replicas", "FIELD: replicas <integer>"),
        ("api-resources", "widgets                     wi           example.com/v1"),
        ("auth can-i delete widgets", "yes"),
        ("create configmap owned", "configmap/owned created"),
    ] {
        let output = ctl.succeed(words).await.unwrap();
        assert!(output.stdout.contains(told), "{words}: {output:?}");
    }
    let unknown = ctl.run("apply -f other.yaml").await.unwrap();
    assert!(unknown.code == 1 && unknown.stderr.contains("ensure CRDs are installed first"), "{unknown:?}");
}

#[tokio::test]
async fn a_kind_comes_and_goes_with_its_objects_and_what_they_own() {
    let lab = Lab::of(3, 2, 0).await.unwrap();
    let ctl = lab.ctl().unwrap();
    let folder = lab.cluster.folder().parent().unwrap();
    fs::write(folder.join("widgets.yaml"), definition().to_string()).unwrap();
    fs::write(folder.join("widget.yaml"), widget("a", &json!({"color": "red"})).to_string()).unwrap();
    fs::write(
        folder.join("other.yaml"),
        r#"{"apiVersion": "example.com/v1", "kind": "Gadget", "metadata": {"name": "x"}}"#,
    )
    .unwrap();
    lives(&ctl).await;

    let uid = ctl.succeed("get widget a -o jsonpath={.metadata.uid}").await.unwrap().stdout;
    let owner = json!([{"apiVersion": "example.com/v1", "kind": "Widget", "name": "a", "uid": uid}]);
    let owned = json!({"metadata": {"ownerReferences": owner}}).to_string().replace(' ', "");
    ctl.succeed(&format!("patch configmap owned -p {owned}")).await.unwrap();
    ctl.succeed("delete widget a").await.unwrap();
    let collected = wait_for("what it owned to go", || async {
        let left = ctl.run("get configmap owned").await.unwrap();
        if left.stderr.contains("NotFound") { Ok(()) } else { Err(format!("{left:?}")) }
    });
    collected.await.unwrap();

    // A namespace takes them with it, and so does the definition.
    ctl.succeed("create namespace shop").await.unwrap();
    ctl.succeed("apply -n shop -f widget.yaml").await.unwrap();
    ctl.succeed("delete namespace shop").await.unwrap();
    assert_eq!(ctl.succeed("get widgets -A").await.unwrap().stdout, "");
    ctl.succeed("apply -f widget.yaml").await.unwrap();
    ctl.succeed("delete crd widgets.example.com").await.unwrap();
    let unknown = ctl.run("get widgets").await.unwrap();
    assert!(unknown.stderr.contains("the server doesn't have a resource type \"widgets\""), "{unknown:?}");
    ctl.succeed("apply -f widgets.yaml").await.unwrap();
    ctl.succeed("wait --for=condition=Established crd/widgets.example.com").await.unwrap();
    assert_eq!(ctl.succeed("get widgets -A").await.unwrap().stdout, "", "it begins anew");
}
