//! Whole objects: JSON, YAML, names.

use serde_json::{Value, json};
use squall_api::{Object, manifest};

use super::{line, text};
use crate::failure::Failure;

/// The formats of `-o`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A table.
    Table,
    /// A wider table.
    Wide,
    /// JSON.
    Json,
    /// YAML.
    Yaml,
    /// `kind/name`.
    Name,
}

impl Format {
    /// Reads `-o`.
    pub fn parse(output: Option<&str>) -> Result<Self, Failure> {
        match output {
            None => Ok(Self::Table),
            Some("wide") => Ok(Self::Wide),
            Some("json") => Ok(Self::Json),
            Some("yaml") => Ok(Self::Yaml),
            Some("name") => Ok(Self::Name),
            Some(other) => Err(Failure::error(format!(
                "unable to match a printer suitable for the output format {other:?}, allowed formats are: json,name,wide,yaml"
            ))),
        }
    }
}

/// `deployment.apps/kubia`.
pub fn named(object: &Object) -> String {
    format!("{}/{}", object.kind().info().singular_group(), object.meta().name)
}

/// Prints objects in a format that is not a table. A single object that was asked for by name stands for itself.
pub fn print_objects(objects: &[Object], single: bool, format: Format) -> Result<(), Failure> {
    if format == Format::Name {
        objects.iter().for_each(|object| line(&named(object)));
        return Ok(());
    }
    let value = match objects {
        [object] if single => shown(object),
        many => json!({
            "apiVersion": "v1",
            "items": many.iter().map(shown).collect::<Vec<Value>>(),
            "kind": "List",
            "metadata": {"resourceVersion": ""},
        }),
    };
    if format == Format::Yaml {
        text(&manifest::to_yaml(&value).map_err(Failure::error)?);
    } else {
        line(&indented(&value)?);
    }
    Ok(())
}

/// kubectl: who owns which fields is not for people to read.
fn shown(object: &Object) -> Value {
    let mut json = object.to_json();
    if let Some(metadata) = json.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    json
}

/// JSON with four spaces.
fn indented(value: &Value) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
    serde::Serialize::serialize(value, &mut serializer).map_err(Failure::error)?;
    String::from_utf8(bytes).map_err(Failure::error)
}
