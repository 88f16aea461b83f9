//! What the fuzz targets do with some bytes. Nothing may panic but the assertions here.

use serde_json::{Value, json};
use squall_api::apply::{Manager, applied};
use squall_api::decode::{FieldValidation, read};
use squall_api::field_selector::FieldSelector;
use squall_api::labels::{Labels, Selector};
use squall_api::metav1::v1::Time;
use squall_api::patch::{Patch, PatchType};
use squall_api::quantity::{self, Milli, Quantity};
use squall_api::{Kind, Object, manifest};
use squall_proto::schema::Message;

/// JSON is read as an object of any kind or refused; what is read is stored, and comes back as it was.
pub fn json(data: &[u8]) {
    if let Ok(json) = serde_json::from_slice::<Value>(data) {
        for kind in Kind::ALL {
            reads_back(*kind, json.clone());
        }
    }
}

/// YAML is read as JSON is.
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

/// Bytes are decoded or refused; what is decoded can be shown in every form.
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

/// Selectors are read or refused; one that is read prints as one that means the same.
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

/// Quantities are read or refused; one that is read is written as one of the same value.
pub fn quantities(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Some(amount) = quantity::parse(&Quantity { string: text.to_owned() }) else { return };
    // Longer numbers than these are written, and not read.
    if amount.0.unsigned_abs() < 10_u128.pow(20) {
        for written in [quantity::decimal(amount), quantity::binary(amount)] {
            let again: Option<Milli> = quantity::parse(&Quantity { string: written.clone() });
            assert_eq!(again, Some(amount), "{text:?} is written as {written:?}");
        }
    }
}

/// Patches are read or refused; a valid object that is patched is an object or an error.
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
    if let Ok(json) = applied(&stored, &config, &manager, true) {
        reads_back(Kind::Deployment, json);
    }
}

/// An object that is read is the same after it was stored.
pub fn reads_back(kind: Kind, json: Value) {
    if let Ok(decoded) = read(kind, json, FieldValidation::Warn) {
        let again = Object::decode(kind, &decoded.object.encode());
        assert_eq!(again.as_ref().ok(), Some(&decoded.object));
    }
}

/// What patches are applied to.
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
