//! Schemas and definitions of custom kinds, judged as Kubernetes judges them.
//!
//! The table has the answers of Kubernetes' own code (`apiextensions-apiserver` 0.36.3): for a schema or a definition,
//! its errors; for a value, the fields that are pruned, the value that is stored, and its errors.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

use serde_json::{Value, json};
use squall_api::Object;
use squall_api::apiextensions::v1::CustomResourceDefinition;
use squall_api::field::{Errors, Path};
use squall_api::structural::{Root, check_change, check_lists, compile, drop_nulls, fill, prune, whole_numbers};

const CASES: &str = include_str!("schemas.jsonl");

fn sorted(errors: &Errors) -> Vec<String> {
    let mut texts: Vec<String> = errors.iter().map(|error| comparable(&error.to_string())).collect();
    texts.sort();
    texts
}

/// Kubernetes' errors, as far as we say the same: it prints whole versions, its parser of regular expressions has words of
/// its own, and it repeats itself.
fn texts(value: &Value) -> Vec<String> {
    let mut texts: Vec<String> =
        value.as_array().into_iter().flatten().map(|text| comparable(text.as_str().unwrap())).collect();
    texts.sort();
    texts.dedup();
    texts
}

fn comparable(text: &str) -> String {
    let without = |start: &str, end: &str| {
        let (head, rest) = text.split_once(start)?;
        let (_, tail) = rest.rsplit_once(end)?;
        Some(format!("{head}{start}...{end}{tail}"))
    };
    if let Some(text) = without("spec.versions: Invalid value: [", "]: must") {
        return text;
    }
    match text.split_once("must be a valid regular expression, but isn't: ") {
        Some((head, _)) => head.to_owned(),
        None => text.to_owned(),
    }
}

/// The errors of a definition that has this schema, or this spec.
fn of_definition(case: &Value) -> Vec<String> {
    let mut spec = json!({"group": "example.com", "scope": "Namespaced",
        "names": {"plural": "widgets", "kind": "Widget"}});
    for (name, value) in case["spec"].as_object().into_iter().flatten() {
        spec[name] = value.clone();
    }
    if let Some(schema) = case.get("schema") {
        spec["versions"] =
            json!([{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}}]);
    }
    let read = json!({"metadata": {"name": "widgets.example.com"}, "spec": spec});
    let mut definition: CustomResourceDefinition = serde_json::from_value(read).unwrap();
    let versions = &definition.spec.versions;
    let stored = versions.iter().filter(|version| version.storage).map(|version| version.name.clone());
    definition.status.stored_versions = stored.take(1).collect();
    let mut object = Object::from(definition);
    object.set_defaults();
    let mut errors = Errors::default();
    object.validate(&mut errors);
    sorted(&errors)
}

/// The stored form of a value, the fields that are pruned, and the errors.
fn of_value(case: &Value) -> (Value, Vec<String>, Vec<String>) {
    let schema = compile(&serde_json::from_value(case["schema"].clone()).unwrap()).unwrap();
    let prepared = |value: &Value| {
        let mut value = value.clone();
        let unknown = prune(&mut value, &schema, Root::Resource);
        drop_nulls(&mut value, Some(&schema));
        fill(&mut value, &schema);
        (value, unknown)
    };
    let (mut value, unknown) = prepared(&case["value"]);
    let old = case.get("old").map(|old| prepared(old).0);
    let (mut errors, mut before) = (Errors::default(), Errors::default());
    check_change(&value, old.as_ref(), &schema, &Path::default(), &mut errors);
    if let Some(old) = &old {
        check_lists(old, &schema, &Path::default(), &mut before);
    }
    if before.is_empty() {
        check_lists(&value, &schema, &Path::default(), &mut errors);
    }
    whole_numbers(&mut value);
    (value, unknown, sorted(&errors))
}

#[test]
fn every_case_is_judged_as_kubernetes_does() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for line in CASES.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let says = &case["says"];
        count += 1;
        let (ours, theirs) = match case.get("value") {
            None => (format!("{:#?}", of_definition(&case)), format!("{:#?}", texts(&says["schemaErrors"]))),
            Some(_) => {
                let (value, unknown, errors) = of_value(&case);
                let stored = says.get("value").cloned().unwrap_or(json!({}));
                (
                    format!("{value} {unknown:?} {errors:#?}"),
                    format!("{stored} {:?} {:#?}", texts(&says["unknown"]), texts(&says["errors"])),
                )
            }
        };
        if ours != theirs {
            wrong.push(format!("{line}\nours:   {ours}\ntheirs: {theirs}\n"));
        }
    }
    assert!(count > 300 && wrong.is_empty(), "{} of {count} differ:\n{}", wrong.len(), wrong.join("\n"));
}
