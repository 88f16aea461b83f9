//! Objects in each encoding, and what the control plane does with one that it has decoded.

use jiff::Timestamp;
use serde_json::Value;
use squall_api::decode::{FieldValidation, from_json_with};
use squall_api::describe::{Related, describe};
use squall_api::kinds::Typed;
use squall_api::{Kind, Object, duplicates, manifest};
use squall_apiserver::admission::{self, Birth, DeleteOptions, Deletion};

/// Decodes JSON as an object of the kind that it names.
pub fn json(bytes: &[u8]) {
    let Ok((json, duplicates)) = duplicates::from_slice(bytes) else { return };
    assert_eq!(serde_json::from_slice::<Value>(bytes).ok().as_ref(), Some(&json), "serde_json reads it otherwise");
    decoded(json, &duplicates);
}

/// Parses YAML, which must read back as it prints, and decodes each document.
pub fn yaml(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(documents) = manifest::documents(text) else { return };
    for document in documents {
        if let Ok(printed) = manifest::to_yaml(&document) {
            assert_eq!(manifest::parse(&printed).as_ref(), Ok(&document), "printed as {printed}");
        }
        decoded(document, &[]);
    }
}

/// Decodes bytes as an object of the kind that the first byte chooses.
pub fn protobuf(bytes: &[u8]) {
    let Some((first, bytes)) = bytes.split_first() else { return };
    let kind = Kind::ALL[usize::from(*first) % Kind::ALL.len()];
    if let Ok(object) = Object::decode(kind, bytes) {
        survives_storage(&object);
        used(&object);
    }
}

fn decoded(json: Value, duplicates: &[String]) {
    let word = |field: &str| json.get(field).and_then(Value::as_str).unwrap_or_default();
    let kind = Kind::of_manifest(word("apiVersion"), word("kind")).unwrap_or(Kind::Pod);
    if let Ok(decoded) = from_json_with(kind, json, duplicates, FieldValidation::Warn) {
        survives(&decoded.object);
        used(&decoded.object);
    }
}

/// Checks that an object that was read from JSON reads back from storage and from its own JSON.
pub fn survives(object: &Object) {
    survives_storage(object);
    let json = Object::from_json(object.kind(), object.to_json());
    assert_eq!(json.ok().as_ref(), Some(object), "its JSON reads back as something else");
}

fn survives_storage(object: &Object) {
    let stored = Object::decode(object.kind(), &object.encode());
    assert_eq!(stored.ok().as_ref(), Some(object), "it is stored as something else");
}

/// Does with an object what servers and clients do: show it, create it, update it and delete it.
fn used(object: &Object) {
    let now = Timestamp::UNIX_EPOCH;
    drop(object.row(now));
    drop(object.to_json_text(Typed::Yes));
    drop(describe(object, &Related::default(), now));
    for field in ["metadata.name", "spec.nodeName", "involvedObject.name"] {
        drop(object.selectable(field));
    }
    let mut new = object.clone();
    new.meta_mut().resource_version.clear();
    let Ok(created) = admission::create(new, &Birth { uid: "u".to_owned(), now, seed: 1 }) else { return };
    survives(&created);
    drop(describe(&created, &Related::default(), now));
    for changed in [
        admission::update(object.clone(), &created),
        admission::update(created.clone(), &created),
        admission::update_status(object.clone(), &created),
    ] {
        changed.iter().for_each(survives_storage);
    }
    let options = DeleteOptions { grace_period: None, ..DeleteOptions::default() };
    if let Ok(Deletion::Mark(marked)) = admission::delete(&created, &options, now) {
        survives_storage(&marked);
        drop(admission::delete(&marked, &DeleteOptions { grace_period: Some(i64::MAX), ..options }, now));
    }
}
