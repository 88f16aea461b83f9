//! Plays the table of valid and faulty objects (`tests/validation`). Each case has the answer of Kubernetes 1.36.3, which
//! was asked for it.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::path::Path;

use serde_json::{Map, Value, json};
use squall_api::decode::{FieldValidation, from_json};
use squall_api::field::Errors;
use squall_api::{Kind, Object, meta};

/// Builds the object of a case, or the one before its change.
fn object(kind: Kind, parts: &Map<String, Value>) -> Object {
    let mut metadata = json!({"name": "x"});
    if kind.info().is_namespaced() {
        metadata["namespace"] = json!("default");
    }
    for (key, value) in parts.get("metadata").and_then(Value::as_object).into_iter().flatten() {
        metadata[key] = value.clone();
    }
    let mut whole = json!({"metadata": metadata});
    for (key, value) in parts {
        if !["case", "metadata", "old", "errors", "becomes", "warnings"].contains(&key.as_str()) {
            whole[key] = value.clone();
        }
    }
    let mut object = from_json(kind, whole, FieldValidation::Strict).unwrap().object;
    object.set_defaults();
    object
}

/// An object with its defaults, and the words of the server about it.
struct Played {
    object: Object,
    errors: Vec<String>,
    warnings: Vec<String>,
}

fn play(kind: Kind, case: &Map<String, Value>) -> Played {
    let mut errors = Errors::default();
    let mut new = object(kind, case);
    let defaulted = new.clone();
    let old = case.get("old").map(|old| object(kind, old.as_object().unwrap()));
    match &old {
        None => new.prepare_create(),
        Some(old) => new.prepare_update(old),
    }
    meta::validate(kind, new.meta(), &mut errors);
    new.validate(&mut errors);
    if let Some(old) = &old {
        new.validate_update(old, &mut errors);
    }
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    // Only a valid object is stored, and commented.
    let warnings = if errors.is_empty() { new.warnings(old.as_ref()) } else { Vec::new() };
    Played { object: defaulted, errors, warnings }
}

/// Compares a case with what it should be: its errors, or the object with its defaults.
fn compare(kind: Kind, case: &Map<String, Value>) -> Option<String> {
    let name = &case["case"];
    let Played { object, errors, warnings } = play(kind, case);
    let texts = |key: &str| -> Vec<&str> {
        let texts = case.get(key).and_then(Value::as_array).into_iter().flatten();
        texts.map(|text| text.as_str().unwrap()).collect()
    };
    for (said, expected) in [(errors, texts("errors")), (warnings, texts("warnings"))] {
        if said != expected {
            return Some(format!("{name}\n  expected {expected:#?}\n  got {said:#?}"));
        }
    }
    let becomes = case.get("becomes")?.as_object().unwrap();
    let json = object.to_json();
    becomes
        .iter()
        .find(|(key, value)| json[key.as_str()] != **value)
        .map(|(key, value)| format!("{name}: {key}\n  expected {value}\n  got      {}", json[key.as_str()]))
}

#[test]
fn every_case_is_answered_as_kubernetes_does() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/validation");
    let (mut count, mut wrong) = (0, Vec::new());
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let table: Value = serde_saphyr::from_str(&text).unwrap();
        let kind = Kind::ALL.iter().find(|kind| kind.info().kind == table["kind"]).unwrap();
        for case in table["cases"].as_array().unwrap() {
            count += 1;
            wrong.extend(compare(*kind, case.as_object().unwrap()));
        }
    }
    assert!(wrong.is_empty(), "{} of {count} cases differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count >= 400, "only {count} cases");
}
