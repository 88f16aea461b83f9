//! Kinds without a layout of their own: every field with a readable label.

use serde_json::{Map, Value};

use super::layout::Layout;
use crate::kinds::Object;

/// Fields that are shown above or are of no interest to people.
const SKIPPED: [&str; 6] = [
    ".metadata.name",
    ".metadata.namespace",
    ".metadata.labels",
    ".metadata.annotations",
    ".metadata.managedFields",
    ".kind",
];
/// Words that stay in capitals.
const ACRONYMS: [&str; 4] = ["API", "URL", "UID", "IP"];

pub fn describe(layout: &mut Layout, object: &Object) {
    let meta = object.meta();
    layout.head(meta);
    let info = object.kind().info();
    layout.field("API Version", info.api_version());
    layout.field("Kind", info.kind);
    if let Value::Object(fields) = object.to_json() {
        let fields = fields.into_iter().filter(|(name, _)| name != "apiVersion").collect();
        describe_fields(layout, &fields, "", "");
    }
}

fn describe_fields(layout: &mut Layout, fields: &Map<String, Value>, indent: &str, path: &str) {
    let deeper = format!("{indent}  ");
    for (name, value) in fields {
        let path = format!("{path}.{name}");
        if SKIPPED.contains(&path.as_str()) {
            continue;
        }
        let label = format!("{indent}{}", label(name));
        match value {
            Value::Object(fields) => {
                layout.line(format_args!("{label}:"));
                describe_fields(layout, fields, &deeper, &path);
            }
            Value::Array(items) => {
                layout.line(format_args!("{label}:"));
                for item in items {
                    match item {
                        Value::Object(fields) => describe_fields(layout, fields, &deeper, &path),
                        other => layout.line(format_args!("{deeper}{}", scalar(other))),
                    }
                }
            }
            other => layout.field(&label, scalar(other)),
        }
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "<nil>".to_owned(),
        other => other.to_string(),
    }
}

/// Turns `resourceVersion` into `Resource Version` (kubectl: `smartLabelFor`). A name with other characters stays as it
/// is.
fn label(name: &str) -> String {
    if !name.chars().all(|c| c.is_ascii_alphanumeric()) {
        return name.to_owned();
    }
    let mut words: Vec<String> = Vec::new();
    let mut after_capital = true;
    for c in name.chars() {
        match words.last_mut() {
            Some(word) if !c.is_ascii_uppercase() || after_capital => word.push(c),
            _ => words.push(c.to_string()),
        }
        after_capital = c.is_ascii_uppercase();
    }
    let capital = |word: &String| {
        let upper = word.to_ascii_uppercase();
        if ACRONYMS.contains(&upper.as_str()) {
            return upper;
        }
        word.chars().take(1).map(|c| c.to_ascii_uppercase()).chain(word.chars().skip(1)).collect()
    };
    words.iter().map(capital).collect::<Vec<String>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::label;

    #[test]
    fn names_become_labels() {
        for (name, expected) in [
            ("resourceVersion", "Resource Version"),
            ("uid", "UID"),
            ("spec", "Spec"),
            ("podIP", "Pod IP"),
            ("a.b/c", "a.b/c"),
        ] {
            assert_eq!(label(name), expected);
        }
    }
}
