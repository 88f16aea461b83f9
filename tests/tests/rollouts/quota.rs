//! Tests that a quota holds for concurrent requests to any member.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

use squall_api::Kind;
use squall_api::core::v1::{ConfigMap, ResourceQuota};
use squall_client::{Api, Client, DeleteParams, Reason, ResourceRef, WriteOptions, manifest};
use squall_tests::{Lab, holds, wait_for};

const QUOTA: &str = r#"
apiVersion: v1
kind: ResourceQuota
metadata: {name: maps}
spec: {hard: {count/configmaps: "10"}}
"#;

/// Creates config maps until a quota refuses one; returns the number of created ones and the error.
async fn create_until_refused(client: Client, creator: usize) -> (usize, String) {
    let api: Api<ConfigMap> = Api::new(client, "default");
    for number in 0.. {
        let mut object = ConfigMap::default();
        object.metadata.name = format!("from-{creator}-{number}");
        if let Err(error) = api.create(object).await {
            assert!(error.is(Reason::Forbidden), "{error}");
            return (number, error.to_string());
        }
    }
    unreachable!("the numbers do not end");
}

async fn used(client: &Client) -> String {
    let quota = Api::<ResourceQuota>::new(client.clone(), "default").get("maps").await.unwrap();
    quota.status.used["count/configmaps"].string.clone()
}

#[tokio::test]
async fn a_quota_is_used_up_to_the_last_and_no_further() {
    let lab = Lab::start().await.unwrap();
    lab.create(QUOTA).await.unwrap();
    assert_eq!(used(&lab.client).await, "1", "the CA of the namespace is there already");
    let creators = (0..6).map(|creator| {
        let client = lab.client.beginning_with(creator % 3);
        tokio::spawn(create_until_refused(client, creator))
    });
    let mut created = 0;
    for creator in creators.collect::<Vec<_>>() {
        let (number, refusal) = creator.await.unwrap();
        created += number;
        assert!(
            refusal.contains("exceeded quota: maps, requested: count/configmaps=1, used: count/configmaps=10"),
            "{refusal}"
        );
    }
    assert_eq!(created, 9);
    assert_eq!(used(&lab.client).await, "10");

    let maps = lab.list(Kind::ConfigMap).await.unwrap();
    let api: Api<ConfigMap> = Api::new(lab.client.clone(), "default");
    for map in maps.iter().filter(|map| map.meta().name.starts_with("from-")) {
        api.delete(&map.meta().name, DeleteParams::default()).await.unwrap();
    }
    assert_eq!(used(&lab.client).await, "1");
    assert_eq!(create_until_refused(lab.client.clone(), 9).await.0, 9);
}

#[tokio::test]
async fn a_quota_that_is_wrong_is_counted_anew() {
    let lab = Lab::of(1, 1, 0).await.unwrap();
    lab.create(QUOTA).await.unwrap();
    let quotas = Api::<ResourceQuota>::new(lab.client.clone(), "default");
    let mut wrong = quotas.get("maps").await.unwrap();
    wrong.status.used.clear();
    quotas.update_status(wrong).await.unwrap();
    wait_for("the quota to be counted", || async {
        let quota = quotas.get("maps").await.map_err(|error| error.to_string())?;
        let used = quota.status.used.get("count/configmaps").map(|used| used.string.clone());
        holds(used.as_deref() == Some("1"), format!("{used:?}"))
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_repeated_request_is_not_refused_for_what_it_has_used() {
    let lab = Lab::of(1, 1, 0).await.unwrap();
    lab.create(&QUOTA.replace("10", "2")).await.unwrap();
    let mut object = ConfigMap::default();
    object.metadata.name = "last".to_owned();
    let all = ResourceRef::collection(Kind::ConfigMap, "default");
    let create = async || {
        let options = WriteOptions { request_id: vec![1; 16].into(), ..WriteOptions::default() };
        lab.client.create(&all, manifest(&object.clone().into()), options).await.unwrap().object().unwrap()
    };
    assert_eq!(create().await, create().await);
    assert_eq!(used(&lab.client).await, "2");
}
