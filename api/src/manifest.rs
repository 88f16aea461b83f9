//! Manifests as users write them: YAML or JSON, several documents, lists.

use serde_json::{Map, Value};

/// The maximum size of a file. Larger files are rejected without being parsed.
const MAX_BYTES: usize = 3 << 20;

/// Parses the documents of a file: YAML (or JSON, which is YAML) separated by `---`. Each item of a `List` counts as a
/// document. The last of several duplicate keys wins, as in kubectl. The error does not contain the file's name.
pub fn documents(text: &str) -> Result<Vec<Value>, String> {
    if text.len() > MAX_BYTES {
        return Err(format!("the file is larger than {} MiB", MAX_BYTES >> 20));
    }
    let mut documents = Vec::new();
    for document in split(text) {
        let value = parse(document)?;
        if !value.is_null() {
            flatten(value, &mut documents)?;
        }
    }
    Ok(documents)
}

/// Parses one YAML or JSON document.
pub fn parse(text: &str) -> Result<Value, String> {
    if let Ok(value) = serde_json::from_str(text) {
        return Ok(value);
    }
    let options = serde_saphyr::options! { duplicate_keys: serde_saphyr::DuplicateKeyPolicy::LastWins };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let text = error.to_string();
        format!("error converting YAML to JSON: yaml: {}", first_line(&text))
    })
}

/// Returns the error with its line: `line 2: mapping values are not allowed in this context`.
fn first_line(problem: &str) -> String {
    let first = problem.lines().next().unwrap_or_default();
    let first = first.strip_prefix("error: ").unwrap_or(first);
    match first.split_once(" column ").map(|(line, rest)| (line, rest.trim_start_matches(|c: char| c.is_ascii_digit())))
    {
        Some((line, rest)) if line.starts_with("line ") => format!("{line}{rest}"),
        _ => first.to_owned(),
    }
}

/// Formats a document as YAML like Kubernetes: long lines are not wrapped, and IP addresses are not quoted.
pub fn to_yaml(value: &Value) -> Result<String, String> {
    let options = serde_saphyr::ser_options! { compact_list_indent: true, folded_wrap_chars: usize::MAX };
    let mark = absent_from(value);
    let mut marked = value.clone();
    mark_addresses(&mut marked, &mark);
    let text = serde_saphyr::to_string_with_options(&marked, options).map_err(|error| error.to_string())?;
    Ok(text.replace(&mark, ""))
}

/// Returns a word that does not occur in the document. The YAML writer quotes an address because it looks like a
/// number; with this word as a prefix, it does not.
fn absent_from(value: &Value) -> String {
    let text = value.to_string();
    let mut mark = "plain-".to_owned();
    while text.contains(&mark) {
        mark.push_str("x-");
    }
    mark
}

fn mark_addresses(value: &mut Value, mark: &str) {
    match value {
        Value::String(text) if text.parse::<std::net::Ipv4Addr>().is_ok() => text.insert_str(0, mark),
        Value::Array(items) => items.iter_mut().for_each(|item| mark_addresses(item, mark)),
        Value::Object(fields) => fields.values_mut().for_each(|field| mark_addresses(field, mark)),
        _ => {}
    }
}

fn split(text: &str) -> Vec<&str> {
    let mut documents = Vec::new();
    let mut start = 0;
    let mut position = 0;
    for line in text.split_inclusive('\n') {
        if line.trim_end() == "---" || line.starts_with("--- ") {
            documents.push(&text[start..position]);
            start = position.saturating_add(line.len());
        }
        position = position.saturating_add(line.len());
    }
    documents.push(&text[start..]);
    documents.into_iter().filter(|document| !document.trim().is_empty()).collect()
}

fn flatten(value: Value, documents: &mut Vec<Value>) -> Result<(), String> {
    let kind = value.get("kind").and_then(Value::as_str).unwrap_or_default();
    let is_list = kind.ends_with("List") && value.get("items").is_some_and(Value::is_array);
    let Value::Object(mut fields) = value else {
        return Err("error converting YAML to JSON: the document is not an object".to_owned());
    };
    match fields.remove("items") {
        Some(Value::Array(items)) if is_list => items.into_iter().try_for_each(|item| flatten(item, documents)),
        items => {
            fields.extend(items.map(|items| ("items".to_owned(), items)));
            documents.push(Value::Object(fields));
            Ok(())
        }
    }
}

/// Returns a string from the metadata of a manifest, such as the name or namespace; empty if absent.
#[must_use]
pub fn meta<'a>(manifest: &'a Value, field: &str) -> &'a str {
    manifest.get("metadata").and_then(|meta| meta.get(field)).and_then(Value::as_str).unwrap_or_default()
}

/// Returns the annotations of a manifest, and creates them if there are none.
pub fn annotations_mut(manifest: &mut Value) -> Option<&mut Map<String, Value>> {
    let metadata = filled(manifest.as_object_mut()?.entry("metadata").or_insert(Value::Null));
    filled(metadata.as_object_mut()?.entry("annotations").or_insert(Value::Null)).as_object_mut()
}

/// Replaces null by an empty object: `annotations:` without a value is null.
fn filled(value: &mut Value) -> &mut Value {
    if value.is_null() {
        *value = Value::Object(Map::new());
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn annotations_that_are_null_are_none() {
        let mut manifest = json!({"metadata": {"annotations": null}});
        annotations_mut(&mut manifest).unwrap().insert("a".to_owned(), "b".into());
        assert_eq!(manifest, json!({"metadata": {"annotations": {"a": "b"}}}));
        assert!(annotations_mut(&mut json!({})).is_some() && annotations_mut(&mut json!({"metadata": 1})).is_none());
    }

    #[test]
    fn addresses_and_long_lines_are_written_as_they_are() {
        let long = "word ".repeat(40) + "end";
        let value = json!({"ip": "127.0.0.1", "number": "1.5", "text": "plain-x\nip: \"127.0.0.1\"\n", "long": long, "ips": ["10.0.0.1"]});
        let yaml = to_yaml(&value).unwrap();
        assert_eq!(
            yaml,
            format!(
                "ip: 127.0.0.1\nips:\n- 10.0.0.1\nlong: {long}\nnumber: \"1.5\"\ntext: |\n  plain-x\n  ip: \"127.0.0.1\"\n"
            )
        );
        assert_eq!(parse(&yaml).unwrap(), value);
    }

    #[test]
    fn documents_and_lists_are_taken_apart() {
        let text = "# a comment\nkind: A\n---\n---\nkind: List\nitems:\n- kind: B\n- kind: C\n---\n{\"kind\": \"D\"}\n";
        let kinds: Vec<Value> = documents(text).unwrap().iter().map(|d| d["kind"].clone()).collect();
        assert_eq!(kinds, [json!("A"), json!("B"), json!("C"), json!("D")]);
    }

    #[test]
    fn of_duplicate_keys_the_last_wins() {
        assert_eq!(documents("a: 1\na: 2\n").unwrap(), [json!({"a": 2})]);
    }

    #[test]
    fn bad_yaml_is_refused() {
        for bad in ["a: b: c", "- 1", "just text", "a: [1", "\t"] {
            assert!(documents(bad).is_err() || documents(bad).unwrap().is_empty(), "{bad:?}");
        }
        assert!(documents(&" ".repeat(4 << 20)).is_err());
    }
}
