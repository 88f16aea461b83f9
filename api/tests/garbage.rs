//! Whatever comes in, nothing panics; and a patch of a valid object gives a valid object or says what is wrong.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

use proptest::prelude::*;
use serde_json::{Value, json};
use squall_api::apply::{Manager, applied};
use squall_api::decode::{FieldValidation, read};
use squall_api::field_selector::FieldSelector;
use squall_api::labels::Selector;
use squall_api::metav1::v1::Time;
use squall_api::patch::{Patch, PatchType};
use squall_api::resource::Quantity;
use squall_api::{Kind, Object, manifest, quantity};
use squall_proto::schema::Message;

/// Text that looks a little like what is expected.
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

/// Any document, with the names of real fields and directives in it.
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

fn stored() -> Object {
    Object::from_json(
        Kind::Deployment,
        json!({
            "metadata": {"name": "kubia", "namespace": "default", "finalizers": ["a", "b"], "labels": {"app": "kubia"}},
            "spec": {
                "replicas": 3,
                "selector": {"matchLabels": {"app": "kubia"}},
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": "25%"}},
                "template": {
                    "metadata": {"labels": {"app": "kubia"}},
                    "spec": {"containers": [
                        {"name": "a", "image": "i:1", "ports": [{"containerPort": 80}], "env": [{"name": "X"}]},
                        {"name": "b", "image": "i:2"},
                    ]},
                },
            },
        }),
    )
    .unwrap()
}

/// Any value a field may have is written so that it reads back.
fn reads_back(json: Value) {
    if let Ok(decoded) = read(Kind::Deployment, json, FieldValidation::Warn) {
        let again = Object::decode(Kind::Deployment, &decoded.object.encode()).unwrap();
        assert_eq!(again, decoded.object);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn text_is_read_or_refused(text in prop_oneof!["\\PC{0,40}", nearly_json()]) {
        drop(manifest::documents(&text));
        drop(Selector::parse(&text));
        drop(FieldSelector::parse(&text));
        let _ = quantity::parse(&Quantity { string: text.clone() });
        drop(squall_api::duration::parse(&text));
        let _ = Kind::of_word(&text);
        for patch_type in [PatchType::Json, PatchType::Merge, PatchType::Strategic] {
            drop(Patch::parse(patch_type, text.as_bytes()));
        }
    }

    #[test]
    fn a_selector_that_is_read_prints_as_one_that_means_the_same(text in "[a-c!=<>, ()]{0,12}(in|notin)?[a-c!=, ()]{0,8}") {
        if let Ok(selector) = Selector::parse(&text) {
            let again = Selector::parse(&selector.to_string()).unwrap();
            for labels in [json!({}), json!({"a": "b"}), json!({"a": "", "b": "c"}), json!({"c": "1"})] {
                let labels = serde_json::from_value(labels).unwrap();
                prop_assert_eq!(selector.matches(&labels), again.matches(&labels), "{:?} printed {}", text, again);
            }
        }
    }

    #[test]
    fn bytes_are_decoded_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        for kind in Kind::ALL {
            if let Ok(object) = Object::decode(*kind, &bytes) {
                drop(object.to_json());
                drop(object.row(jiff::Timestamp::UNIX_EPOCH));
            }
        }
    }

    #[test]
    fn documents_are_read_or_refused(json in document()) {
        for kind in Kind::ALL {
            drop(read(*kind, json.clone(), FieldValidation::Strict));
        }
        reads_back(json);
    }

    #[test]
    fn a_patched_object_is_an_object_or_an_error(document in document()) {
        let stored = stored();
        let schema = Message::find("apps.v1.Deployment");
        for patch_type in [PatchType::Merge, PatchType::Strategic] {
            let Ok(patch) = Patch::parse(patch_type, document.to_string().as_bytes()) else { continue };
            let mut json = stored.to_json();
            if patch.apply(&mut json, schema).is_ok() {
                reads_back(json);
            }
        }
        let manager = Manager { name: "me", subresource: "", now: Time { seconds: 1, nanos: 0 } };
        if let Ok(json) = applied(&stored, &document, &manager, true) {
            reads_back(json);
        }
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
        let with = applied(&stored(), &config, &manager("me"), true).unwrap();
        for (key, value) in &labels {
            prop_assert_eq!(&with["metadata"]["labels"][key], value);
        }
        let object = read(Kind::Deployment, with, FieldValidation::Strict).unwrap().object;
        let without = applied(&object, &json!({}), &manager("me"), false).unwrap();
        let containers = without["spec"]["template"]["spec"]["containers"].as_array().unwrap();
        prop_assert_eq!(containers.len(), 2, "its own container is gone, those of others are there");
        prop_assert!(labels.keys().all(|key| without["metadata"]["labels"].get(key).is_none()));
    }
}
