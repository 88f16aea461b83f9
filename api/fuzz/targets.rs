//! The fuzz targets. Only the assertions here may panic.

use serde_json::{Value, json};
use squall_api::apply::{Manager, OnConflict, applied};
use squall_api::decode::{FieldValidation, read};
use squall_api::field_selector::FieldSelector;
use squall_api::labels::{Labels, Selector};
use squall_api::metav1::v1::Time;
use squall_api::patch::{Patch, PatchType};
use squall_api::quantity::{self, Milli, Quantity};
use squall_api::{Kind, Object, manifest};
use squall_proto::schema::Message;

/// Decodes JSON as an object of every kind. An object that decodes must survive storage unchanged.
pub fn json(data: &[u8]) {
    if let Ok(json) = serde_json::from_slice::<Value>(data) {
        for kind in Kind::ALL {
            reads_back(*kind, json.clone());
        }
    }
}

/// Parses YAML and decodes it like [`json`].
pub fn yaml(data: &[u8]) {
    let Ok(documents) =
        std::str::from_utf8(data).map_err(drop).and_then(|text| manifest::documents(text).map_err(drop))
    else {
        return;
    };
    for document in documents {
        reads_back(Kind::Pod, document.clone());
        reads_back(Kind::Deployment, document);
    }
}

/// Decodes bytes as an object of every kind. An object that decodes must convert to every form.
pub fn protobuf(data: &[u8]) {
    for kind in Kind::ALL {
        if let Ok(object) = Object::decode(*kind, data) {
            let json = object.to_json();
            drop(object.row(jiff::Timestamp::UNIX_EPOCH));
            drop(object.selectable("metadata.name"));
            drop(json);
        }
    }
}

/// Parses selectors. A valid selector must print as one with the same meaning.
pub fn selectors(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    drop(FieldSelector::parse(text));
    let Ok(selector) = Selector::parse(text) else { return };
    let printed = selector.to_string();
    let again = Selector::parse(&printed);
    for labels in [json!({}), json!({"a": "b"}), json!({"a": "", "b": "c"}), json!({"a": "1"})] {
        let labels: Labels = serde_json::from_value(labels).unwrap_or_default();
        let matches = again.as_ref().map(|again| again.matches(&labels));
        assert_eq!(matches, Ok(selector.matches(&labels)), "{text:?} prints as {printed:?}");
    }
}

/// Parses quantities. A valid quantity must print as one with the same value.
pub fn quantities(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Some(amount) = quantity::parse(&Quantity { string: text.to_owned() }) else { return };
    // Longer numbers can be written but not parsed.
    if amount.0.unsigned_abs() < 10_u128.pow(20) {
        for written in [quantity::decimal(amount), quantity::binary(amount)] {
            let again: Option<Milli> = quantity::parse(&Quantity { string: written.clone() });
            assert_eq!(again, Some(amount), "{text:?} is written as {written:?}");
        }
    }
}

/// Patches a valid object. The result must be an object or an error.
pub fn patches(data: &[u8]) {
    let stored = stored();
    let schema = Message::find("apps.v1.Deployment");
    for patch_type in [PatchType::Json, PatchType::Merge, PatchType::Strategic] {
        let Ok(patch) = Patch::parse(patch_type, data) else { continue };
        let mut json = stored.to_json();
        if patch.apply(&mut json, schema).is_ok() {
            reads_back(Kind::Deployment, json);
        }
    }
    let Ok(config) = serde_json::from_slice::<Value>(data) else { return };
    let manager = Manager { name: "me", subresource: "", now: Time { seconds: 1, nanos: 0 } };
    if let Ok(json) = applied(&stored, &config, &manager, OnConflict::TakeOver) {
        reads_back(Kind::Deployment, json);
    }
}

/// Checks that an object that decodes survives storage unchanged.
pub fn reads_back(kind: Kind, json: Value) {
    if let Ok(decoded) = read(kind, json, FieldValidation::Warn) {
        let again = Object::decode(kind, &decoded.object.encode());
        assert_eq!(again.as_ref().ok(), Some(&decoded.object));
    }
}

/// Returns the object that patches are applied to.
pub fn stored() -> Object {
    let json = json!({
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
    });
    Object::from_json(Kind::Deployment, json).unwrap()
}
