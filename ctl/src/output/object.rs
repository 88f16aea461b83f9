//! Output of whole objects: JSON, YAML, names, templates, custom columns.

use serde_json::{Value, json};
use squall_api::jsonpath::Path;
use squall_api::{Object, manifest};

use super::jsonpath::{Template, text_of};
use super::{line, print_cells, text};
use crate::failure::Failure;
use crate::files;

/// The formats of `-o`, as kubectl lists them, without Go templates.
const FORMATS: &str = "custom-columns,custom-columns-file,json,jsonpath,jsonpath-as-json,jsonpath-file,name,wide,yaml";
const GAP: usize = 3;

/// The formats of `-o`.
#[derive(Debug, Clone)]
pub enum Format {
    /// A table with the kind's default columns.
    Table,
    /// A table with all of the kind's columns.
    Wide,
    Json,
    Yaml,
    /// `kind/name`.
    Name,
    /// The output of a template.
    JsonPath(Template),
    /// The values at a path, as a JSON array.
    JsonPathAsJson(Path),
    /// Custom columns: heading and path.
    Columns(Vec<(String, Path)>),
}

impl Format {
    /// Parses the value of `-o`; without one, it is a table.
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

    /// Whether the output is a table whose columns depend on the kind.
    pub const fn is_table(&self) -> bool {
        matches!(self, Self::Table | Self::Wide)
    }
}

fn read(file: &str) -> Result<String, Failure> {
    files::text(file).map_err(|error| Failure::error(format!("reading {file}: {error}")))
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

/// Parses two lines: headings, and the paths below them.
fn columns_of_file(text: &str) -> Result<Vec<(String, Path)>, Failure> {
    let mut lines = text.lines();
    let headings = lines.next().unwrap_or_default().split_whitespace();
    let paths: Vec<&str> = lines.next().unwrap_or_default().split_whitespace().collect();
    let columns: Vec<(&str, &str)> = headings.zip(paths.iter().copied()).collect();
    if columns.len() != paths.len() || columns.is_empty() {
        return Err(Failure::error("custom-columns-file must have a line of headings and a line with as many paths"));
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

/// Options for output that is not a table.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shown {
    /// Print a single object by itself, not in a list: it was requested by name.
    pub single: bool,
    /// Include `metadata.managedFields`.
    pub managed_fields: bool,
    /// Omit the column headings.
    pub no_headers: bool,
}

/// Prints objects in a format that is not a table.
pub fn print_objects(objects: &[Object], shown: Shown, format: &Format) -> Result<(), Failure> {
    let json = |object: &Object| json_of(object, ManagedFields::of(shown.managed_fields));
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

/// Combines several objects into a `List`, as kubectl does.
pub fn list_of(items: Vec<Value>) -> Value {
    json!({"apiVersion": "v1", "items": items, "kind": "List", "metadata": {"resourceVersion": ""}})
}

/// Whether output includes `metadata.managedFields`. As in kubectl, they are left out unless requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ManagedFields {
    /// Left out.
    Hidden,
    /// Included.
    Shown,
}

impl ManagedFields {
    /// Reads the flag `--show-managed-fields`.
    const fn of(shown: bool) -> Self {
        if shown { Self::Shown } else { Self::Hidden }
    }
}

/// The object as JSON.
pub fn json_of(object: &Object, managed_fields: ManagedFields) -> Value {
    let mut json = object.to_json();
    if managed_fields == ManagedFields::Hidden
        && let Some(metadata) = json.get_mut("metadata").and_then(Value::as_object_mut)
    {
        metadata.remove("managedFields");
    }
    json
}

/// Formats JSON, indented by four spaces.
pub fn indented(value: &Value) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
    serde::Serialize::serialize(value, &mut serializer).map_err(Failure::error)?;
    String::from_utf8(bytes).map_err(Failure::error)
}
