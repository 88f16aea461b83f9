//! Golden files of descriptions, each beside the objects that it describes. `UPDATE_EXPECT=1 cargo test` rewrites them.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

use expect_test::{ExpectFile, expect_file};
use jiff::Timestamp;
use squall_api::describe::{Related, describe};
use squall_api::{Kind, Object, manifest};

/// Five minutes after the objects were created.
const NOW: &str = "2026-11-23T21:35:07Z";

/// Describes the first object of a manifest; the others are its related objects.
fn check(objects: &str, expected: &ExpectFile) {
    let mut objects = manifest::documents(objects).unwrap().into_iter().map(|json| {
        let word = |field: &str| json[field].as_str().unwrap().to_owned();
        let kind = Kind::of_manifest(&word("apiVersion"), &word("kind")).unwrap();
        let mut object = Object::from_json(kind, json).unwrap();
        object.set_defaults();
        object
    });
    let described = objects.next().unwrap();
    let mut related = Related::default();
    for object in objects {
        match object {
            Object::Event(event) => related.events.push(*event),
            Object::ReplicaSet(set) => related.replica_sets.push(*set),
            Object::Pod(pod) => related.pods.push(*pod),
            Object::EndpointSlice(slice) => related.endpoint_slices.push(*slice),
            Object::Lease(lease) => related.lease = Some(*lease),
            other => unreachable!("unexpected related object of kind {:?}", other.kind()),
        }
    }
    expected.assert_eq(&describe(&described, &related, NOW.parse::<Timestamp>().unwrap()));
}

#[test]
fn a_deployment_shows_its_replica_sets_and_events() {
    check(include_str!("describe/deployment.yaml"), &expect_file!["describe/deployment.txt"]);
}

#[test]
fn a_replica_set_counts_its_pods() {
    check(include_str!("describe/replica-set.yaml"), &expect_file!["describe/replica-set.txt"]);
}

#[test]
fn a_pod_shows_the_state_of_its_containers() {
    check(include_str!("describe/pod.yaml"), &expect_file!["describe/pod.txt"]);
}

#[test]
fn a_service_shows_where_it_leads() {
    check(include_str!("describe/service.yaml"), &expect_file!["describe/service.txt"]);
}

#[test]
fn a_node_sums_up_its_pods() {
    check(include_str!("describe/node.yaml"), &expect_file!["describe/node.txt"]);
}

#[test]
fn another_kind_shows_every_field() {
    check(include_str!("describe/config-map.yaml"), &expect_file!["describe/config-map.txt"]);
}
