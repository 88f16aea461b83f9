//! No input causes a panic, and a patch of a valid object results in a valid object or an error.

use proptest::prelude::*;
use serde_json::{Value, json};
use squall_api::Kind;
use squall_api::apply::{Manager, OnConflict, applied};
use squall_api::decode::{FieldValidation, read};
use squall_api::metav1::v1::Time;

use squall_decoders::{feed, stored};

/// Generates text that resembles JSON.
fn nearly_json() -> impl Strategy<Value = String> {
    prop::collection::vec(
        prop_oneof![
            Just("{".to_owned()),
            Just("}".to_owned()),
            Just("[".to_owned()),
            Just("]".to_owned()),
            Just(":".to_owned()),
            Just(",".to_owned()),
            Just("\"spec\"".to_owned()),
            Just("\"metadata\"".to_owned()),
            Just("null".to_owned()),
            "[-0-9.eE]{1,5}",
            "\"[a-z$/]{0,8}\"",
            "\\PC{0,4}",
        ],
        0..24,
    )
    .prop_map(|pieces| pieces.concat())
}

/// Generates documents with the names of real fields and directives.
fn document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop_oneof!["[a-z0-9:%/.-]{0,8}", Just("replace".to_owned()), Just("delete".to_owned())].prop_map(Value::from),
    ];
    let key = prop_oneof![
        prop::sample::select(vec![
            "spec",
            "metadata",
            "template",
            "containers",
            "name",
            "image",
            "labels",
            "replicas",
            "ports",
            "containerPort",
            "protocol",
            "strategy",
            "rollingUpdate",
            "maxSurge",
            "finalizers",
            "ownerReferences",
            "uid",
            "$patch",
            "$retainKeys",
            "$setElementOrder/containers",
            "$deleteFromPrimitiveList/finalizers",
            "managedFields",
            "selector",
            "matchLabels",
            "env",
            "status",
            "conditions",
            "type",
        ])
        .prop_map(str::to_owned),
        "[a-zA-Z$./]{0,6}",
    ];
    leaf.prop_recursive(5, 48, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key.clone(), inner, 0..5)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// Feeds every kind of patch.
fn patches(bytes: &[u8]) {
    for name in ["json-patch", "merge-patch", "strategic-patch", "apply"] {
        feed(name, bytes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn text_is_read_or_refused(text in prop_oneof!["\\PC{0,40}", nearly_json()]) {
        let bytes = text.as_bytes();
        feed("json", bytes);
        feed("yaml", bytes);
        feed("selectors", bytes);
        feed("quantities", bytes);
        patches(bytes);
        drop(squall_api::duration::parse(&text));
        let _ = Kind::of_word(&text);
    }

    #[test]
    fn selectors_are_read_or_refused(text in "[a-c!=<>, ()]{0,12}(in|notin)?[a-c!=, ()]{0,8}") {
        feed("selectors", text.as_bytes());
    }

    #[test]
    fn quantities_are_read_or_refused(text in "[-+]?[0-9]{0,6}[.]?[0-9]{0,4}([KMGTPE]i|[numkMGTPE]|[eE][-+]?[0-9]{1,2})?") {
        feed("quantities", text.as_bytes());
    }

    #[test]
    fn bytes_are_decoded_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        feed("protobuf", &bytes);
    }

    #[test]
    fn documents_are_read_or_refused(json in document()) {
        for kind in Kind::ALL {
            drop(read(*kind, json.clone(), FieldValidation::Strict));
        }
        feed("json", json.to_string().as_bytes());
        feed("yaml", json.to_string().as_bytes());
    }

    #[test]
    fn a_patched_object_is_an_object_or_an_error(document in document()) {
        patches(document.to_string().as_bytes());
    }

    #[test]
    fn what_is_applied_is_there_and_is_taken_back_when_it_is_no_longer_applied(
        replicas in prop::option::of(0_i32..9),
        labels in prop::collection::btree_map("[a-c]", "[a-c]", 0..3),
        image in prop::option::of("[a-z]{1,3}:1"),
    ) {
        let manager = |name| Manager { name, subresource: "", now: Time { seconds: 1, nanos: 0 } };
        let mut config = json!({"metadata": {"labels": labels}, "spec": {"template": {"spec": {"containers": []}}}});
        if let Some(replicas) = replicas {
            config["spec"]["replicas"] = json!(replicas);
        }
        if let Some(image) = &image {
            config["spec"]["template"]["spec"]["containers"] = json!([{"name": "mine", "image": image}]);
        }
        let with = applied(&stored(), &config, &manager("me"), OnConflict::TakeOver).unwrap();
        for (key, value) in &labels {
            prop_assert_eq!(&with["metadata"]["labels"][key], value);
        }
        let object = read(Kind::Deployment, with, FieldValidation::Strict).unwrap().object;
        let without = applied(&object, &json!({}), &manager("me"), OnConflict::Refuse).unwrap();
        let containers = without["spec"]["template"]["spec"]["containers"].as_array().unwrap();
        prop_assert_eq!(containers.len(), 2, "its own container is gone, those of others are there");
        prop_assert!(labels.keys().all(|key| without["metadata"]["labels"].get(key).is_none()));
    }
}
