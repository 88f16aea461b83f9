//! Whole objects: JSON, YAML, names, templates, columns of one's own.

use serde_json::{Value, json};
use squall_api::{Object, manifest};

use super::jsonpath::{Path, Template, text_of};
use super::{line, print_cells, text};
use crate::failure::Failure;

/// kubectl's list of what `-o` may be. Templates of Go are not among ours.
const FORMATS: &str = "custom-columns,custom-columns-file,json,jsonpath,jsonpath-as-json,jsonpath-file,name,wide,yaml";
const GAP: usize = 3;

/// The formats of `-o`.
#[derive(Debug, Clone)]
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
    /// A template.
    JsonPath(Template),
    /// What a path leads to, as JSON.
    JsonPathAsJson(Path),
    /// Columns: heading and path.
    Columns(Vec<(String, Path)>),
}

impl Format {
    /// Reads `-o`.
    pub fn parse(output: Option<&str>) -> Result<Self, Failure> {
        let Some(output) = output.filter(|output| !output.is_empty()) else { return Ok(Self::Table) };
        let (word, rest) = output.split_once('=').map_or((output, None), |(word, rest)| (word, Some(rest)));
        match (word, rest) {
            ("wide", None) => Ok(Self::Wide),
            ("json", None) => Ok(Self::Json),
            ("yaml", None) => Ok(Self::Yaml),
            ("name", None) => Ok(Self::Name),
            ("jsonpath" | "jsonpath-as-json", None) => {
                Err(Failure::error("template format specified but no template given"))
            }
            ("custom-columns", None) => {
                Err(Failure::error("custom-columns format specified but no custom columns given"))
            }
            ("jsonpath", Some(template)) => jsonpath(template).map(Self::JsonPath),
            ("jsonpath-file", Some(file)) => jsonpath(&read(file)?).map(Self::JsonPath),
            ("jsonpath-as-json", Some(path)) => Path::relaxed(path).map(Self::JsonPathAsJson).map_err(Failure::error),
            ("custom-columns", Some(columns)) => columns_of(columns).map(Self::Columns),
            ("custom-columns-file", Some(file)) => columns_of_file(&read(file)?).map(Self::Columns),
            _ => Err(Failure::error(format!(
                "unable to match a printer suitable for the output format {output:?}, allowed formats are: {FORMATS}"
            ))),
        }
    }

    /// Whether it is one of the tables that the kind of the objects decides on.
    pub const fn is_table(&self) -> bool {
        matches!(self, Self::Table | Self::Wide)
    }
}

fn read(file: &str) -> Result<String, Failure> {
    std::fs::read_to_string(file).map_err(|error| Failure::error(format!("reading {file}: {error}")))
}

fn jsonpath(template: &str) -> Result<Template, Failure> {
    Template::parse(template).map_err(|problem| Failure::error(format!("error parsing jsonpath {template}, {problem}")))
}

fn columns_of(spec: &str) -> Result<Vec<(String, Path)>, Failure> {
    let columns = spec.split(',').map(|column| match column.split_once(':') {
        Some((heading, path)) => Ok((heading.to_owned(), Path::relaxed(path).map_err(Failure::error)?)),
        None => {
            Err(Failure::error(format!("unexpected custom-columns spec: {column}, expected <header>:<json-path-expr>")))
        }
    });
    columns.collect()
}

/// Two lines: headings, and the paths below them.
fn columns_of_file(text: &str) -> Result<Vec<(String, Path)>, Failure> {
    let mut lines = text.lines();
    let headings = lines.next().unwrap_or_default().split_whitespace();
    let paths: Vec<&str> = lines.next().unwrap_or_default().split_whitespace().collect();
    let columns: Vec<(&str, &str)> = headings.zip(paths.iter().copied()).collect();
    if columns.len() != paths.len() || columns.is_empty() {
        return Err(Failure::error("a file of columns has a line of headings and one with as many paths"));
    }
    let columns = columns
        .into_iter()
        .map(|(heading, path)| Ok((heading.to_owned(), Path::relaxed(path).map_err(Failure::error)?)));
    columns.collect()
}

/// `deployment.apps/kubia`.
pub fn named(object: &Object) -> String {
    format!("{}/{}", object.kind().info().singular_group(), object.meta().name)
}

/// How objects are printed that are not in a table.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shown {
    /// A single object that was asked for by name stands for itself, and not in a list.
    pub single: bool,
    /// With who owns which fields.
    pub managed_fields: bool,
    /// Without the headings of columns.
    pub no_headers: bool,
}

/// Prints objects in a format that is not a table.
pub fn print_objects(objects: &[Object], shown: Shown, format: &Format) -> Result<(), Failure> {
    let json = |object: &Object| json_of(object, shown.managed_fields);
    let whole = || match objects {
        [object] if shown.single => json(object),
        many => list_of(many.iter().map(json).collect()),
    };
    match format {
        Format::Name => objects.iter().for_each(|object| line(&named(object))),
        Format::Yaml => text(&manifest::to_yaml(&whole()).map_err(Failure::error)?),
        Format::Json | Format::Table | Format::Wide => line(&indented(&whole())?),
        Format::JsonPath(template) => text(&template.render(&whole())),
        Format::JsonPathAsJson(path) => {
            let whole = whole();
            line(&indented(&Value::Array(path.find(&whole).into_iter().cloned().collect()))?);
        }
        Format::Columns(columns) => {
            let heading = columns.iter().map(|(heading, _)| heading.clone()).collect();
            let rows = objects.iter().map(|object| row(&json(object), columns));
            let cells: Vec<Vec<String>> = (!shown.no_headers).then_some(heading).into_iter().chain(rows).collect();
            print_cells(&cells, GAP);
        }
    }
    Ok(())
}

fn row(json: &Value, columns: &[(String, Path)]) -> Vec<String> {
    let cell = |path: &Path| match path.find(json).as_slice() {
        [] => "<none>".to_owned(),
        found => found.iter().map(|value| text_of(value)).collect::<Vec<String>>().join(","),
    };
    columns.iter().map(|(_, path)| cell(path)).collect()
}

/// kubectl's way to show several objects as one.
pub fn list_of(items: Vec<Value>) -> Value {
    json!({"apiVersion": "v1", "items": items, "kind": "List", "metadata": {"resourceVersion": ""}})
}

/// kubectl: who owns which fields is not for people to read, unless they want it.
pub fn json_of(object: &Object, managed_fields: bool) -> Value {
    let mut json = object.to_json();
    if !managed_fields && let Some(metadata) = json.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    json
}

/// JSON with four spaces.
pub fn indented(value: &Value) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
    serde::Serialize::serialize(value, &mut serializer).map_err(Failure::error)?;
    String::from_utf8(bytes).map_err(Failure::error)
}
