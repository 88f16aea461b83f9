//! Tests that a request whose answer was lost and which is repeated under its id is executed once and gets its first
//! answer.

use serde_json::json;
use squall_api::coordination::v1::Lease;
use squall_api::core::v1::ConfigMap;
use squall_api::{Kind, Object, Resource};
use squall_client::{DeleteRequest, ResourceRef, WriteOptions, manifest};
use squall_tests::Lab;

fn config_map(name: &str) -> ConfigMap {
    let mut map = ConfigMap::default();
    map.metadata.name = name.to_owned();
    map.data.insert("count".to_owned(), "1".to_owned());
    map
}

fn options(id: u8) -> WriteOptions {
    WriteOptions { request_id: vec![id; 16].into(), ..WriteOptions::default() }
}

fn version(object: &Object) -> String {
    object.meta().resource_version.clone()
}

#[tokio::test]
async fn every_verb_is_applied_once() {
    let lab = Lab::of(3, 1, 0).await.unwrap();
    let client = &lab.client;
    let (all, one) =
        (ResourceRef::collection(Kind::ConfigMap, "default"), ResourceRef::object(Kind::ConfigMap, "default", "a"));

    let create =
        async || client.create(&all, manifest(&config_map("a").into()), options(1)).await.unwrap().object().unwrap();
    let created = create().await;
    assert_eq!(version(&create().await), version(&created));

    let mut changed = created.clone();
    changed.meta_mut().labels.insert("a".to_owned(), "b".to_owned());
    let update = async || client.update(&one, manifest(&changed), options(2)).await.unwrap().object().unwrap();
    let updated = update().await;
    assert_ne!(version(&updated), version(&created));
    assert_eq!(version(&update().await), version(&updated), "its resource version is no longer the newest");

    let patch = json!({"data": {"count": "2"}});
    let patched = async || client.patch(&one, &patch, options(3)).await.unwrap().object().unwrap();
    assert_eq!(version(&patched().await), version(&patched().await));

    let delete = async || {
        let how = DeleteRequest { options: Some(options(4)), ..DeleteRequest::default() };
        client.delete(&one, how).await.unwrap()
    };
    let (first, again) = (delete().await, delete().await);
    assert!(first.deleted && again.deleted);
    assert_eq!(version(&again.object().unwrap()), version(&first.object().unwrap()));
    assert_eq!(again.object().unwrap().meta().uid, created.meta().uid);

    let other = client.delete(&one, DeleteRequest::default()).await.unwrap_err();
    assert!(other.is_not_found(), "another request finds nothing: {other}");
}

#[tokio::test]
async fn generated_names_and_creating_updates_are_made_up_once() {
    let lab = Lab::of(1, 1, 0).await.unwrap();
    let client = &lab.client;
    let mut nameless = config_map("");
    nameless.metadata.generate_name = "a-".to_owned();
    let all = ResourceRef::collection(Kind::ConfigMap, "default");
    let create =
        async || client.create(&all, manifest(&nameless.clone().into()), options(1)).await.unwrap().object().unwrap();
    assert_eq!(create().await.meta().name, create().await.meta().name);

    // As in Kubernetes, an update of a missing Lease creates it.
    let mut lease = Lease::default();
    lease.metadata.name = "l".to_owned();
    let one = ResourceRef::object(Lease::KIND, "default", "l");
    let update =
        async || client.update(&one, manifest(&lease.clone().into()), options(2)).await.unwrap().object().unwrap();
    assert_eq!(version(&update().await), version(&update().await));
}
