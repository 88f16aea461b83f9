//! Tests that what is deleted goes, with everything in it and below it, and that what hangs says why.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

use serde_json::{Value, json};
use squall_api::{Kind, Object};
use squall_client::{ResourceRef, manifest};
use squall_tests::{Lab, holds, wait_for};

/// Creates an object in its own namespace.
async fn create(lab: &Lab, kind: Kind, json: Value) {
    let object = Object::from_json(kind, json).unwrap();
    let collection = ResourceRef::collection(kind, &object.meta().namespace);
    lab.client.create(&collection, manifest(&object), Default::default()).await.unwrap();
}

/// A hundred namespaces are deleted right after an object was created in each: nobody has had time to put a finalizer on
/// them.
#[tokio::test]
async fn namespaces_deleted_at_once_leave_nothing_behind() {
    let lab = Lab::of(1, 1, 1).await.unwrap();
    for number in 0..100 {
        let name = format!("shop-{number}");
        create(&lab, Kind::Namespace, json!({"metadata": {"name": name}})).await;
        create(&lab, Kind::ConfigMap, json!({"metadata": {"name": "m", "namespace": name}})).await;
        let namespace = ResourceRef::object(Kind::Namespace, "", &name);
        lab.client.delete(&namespace, Default::default()).await.unwrap();
    }
    wait_for("the namespaces to be gone", || async {
        let all = lab.client.list(&ResourceRef::collection(Kind::Namespace, ""), "", "", "").await.unwrap().1;
        let names: Vec<String> = all.iter().map(|object| object.meta().name.clone()).collect();
        holds(!names.iter().any(|name| name.starts_with("shop-")), names)
    })
    .await
    .unwrap();
    let everywhere = ResourceRef::collection(Kind::ConfigMap, "");
    let maps = lab.client.list(&everywhere, "", "", "").await.unwrap().1;
    let left: Vec<&str> =
        maps.iter().map(|map| map.meta().namespace.as_str()).filter(|n| n.starts_with("shop")).collect();
    assert!(left.is_empty(), "config maps live on in no namespace: {left:?}");
}

#[tokio::test]
async fn a_namespace_that_hangs_says_why() {
    let lab = Lab::of(1, 1, 1).await.unwrap();
    let ctl = lab.ctl().unwrap();
    create(&lab, Kind::Namespace, json!({"metadata": {"name": "stuck"}})).await;
    let finalizers = ["example.com/audit"];
    let guarded = json!({"metadata": {"name": "guarded", "namespace": "stuck", "finalizers": finalizers}});
    create(&lab, Kind::ConfigMap, guarded).await;
    ctl.run("delete namespace stuck --wait=false").await.unwrap();
    let finalizers =
        "Some content in the namespace has finalizers remaining: example.com/audit in 1 resource instances";
    wait_for("the reason", || async {
        let said = ctl.run("why namespace stuck").await.unwrap().stdout;
        holds(said.contains("finalizers off its objects") && said.contains(finalizers), said)
    })
    .await
    .unwrap();
    let described = ctl.run("describe namespace stuck").await.unwrap().stdout;
    assert!(described.contains("configmaps. has 1 resource instances"), "{described}");
    ctl.run("patch configmap guarded -n stuck -p {\"metadata\":{\"finalizers\":null}}").await.unwrap();
    wait_for("the namespace to be gone", || async {
        let found = ctl.run("get namespace stuck").await.unwrap();
        holds(found.code == 1, found.stdout)
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_circle_of_owners_goes_in_the_foreground() {
    let lab = Lab::of(1, 1, 1).await.unwrap();
    let ctl = lab.ctl().unwrap();
    let names = ["a", "b", "c"];
    let mut uids = Vec::new();
    for name in names {
        lab.create(&format!("{{apiVersion: v1, kind: ConfigMap, metadata: {{name: {name}}}}}")).await.unwrap();
        uids.push(ctl.run(&format!("get configmap {name} -o jsonpath={{.metadata.uid}}")).await.unwrap().stdout);
    }
    for (place, name) in names.iter().enumerate() {
        let owner = (place + 1) % names.len();
        let patch = format!(
            "{{\"metadata\":{{\"ownerReferences\":[{{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"name\":\"{}\",\
             \"uid\":\"{}\",\"blockOwnerDeletion\":true}}]}}}}",
            names[owner], uids[owner]
        );
        ctl.succeed(&format!("patch configmap {name} -p {patch}")).await.unwrap();
    }
    ctl.run("delete configmap a --cascade=foreground --wait=false").await.unwrap();
    wait_for("the circle to be gone", || async {
        let left = ctl.run("get configmaps").await.unwrap().stdout;
        holds(!names.iter().any(|name| left.lines().any(|line| line.starts_with(&format!("{name} ")))), left)
    })
    .await
    .unwrap();
}
