//! Tables of objects: the columns of a kind, and text cells.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use squall_proto::apiextensions::v1::CustomResourceColumnDefinition;

/// A column of a kind's table.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// The heading, as the server sends it; clients print it in capitals.
    pub name: &'static str,
    /// When the column is shown.
    pub width: Width,
    /// The type of the cells.
    pub cells: Cells,
}

/// When a column is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// Always.
    Narrow,
    /// With `-o wide`.
    Wide,
}

/// The type of a column's cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cells {
    /// Text.
    Text,
    /// Whole numbers.
    Integers,
}

impl Column {
    /// Returns the same column with whole numbers as cells.
    #[must_use]
    pub const fn integer(self) -> Self {
        Self { cells: Cells::Integers, ..self }
    }

    /// Returns the heading in capitals, as clients print it.
    #[must_use]
    pub fn heading(&self) -> String {
        self.name.to_uppercase()
    }

    /// Returns the definition of the column in a `Table`.
    #[must_use]
    pub fn definition(&self) -> Value {
        json!({
            "name": self.name,
            "type": match self.cells {
                Cells::Text => "string",
                Cells::Integers => "integer",
            },
            "format": if self.name == "Name" { "name" } else { "" },
            "description": "",
            "priority": match self.width {
                Width::Narrow => 0,
                Width::Wide => 1,
            },
        })
    }

    /// Converts a text to a cell in a `Table`.
    #[must_use]
    pub fn cell(&self, text: String) -> Value {
        match (self.cells, text.parse::<i64>()) {
            (Cells::Integers, Ok(number)) => number.into(),
            _ => text.into(),
        }
    }
}

/// Returns the definition of a custom kind's column in a `Table`.
#[must_use]
pub fn printer_definition(column: &CustomResourceColumnDefinition) -> Value {
    // Kubernetes: a column without a description has that of its path.
    let path = column.json_path.trim_start_matches('.');
    let description = match column.description.as_str() {
        "" => format!("Custom resource definition column (in JSONPath format): .{path}"),
        text => text.to_owned(),
    };
    json!({
        "name": column.name,
        "type": column.r#type,
        "format": column.format,
        "description": description,
        "priority": column.priority,
    })
}

/// Converts a text to a cell of a custom kind's column of this type. A value that is missing is null.
#[must_use]
pub fn printer_cell(text: String, of: &str) -> Value {
    match of {
        _ if text.is_empty() => Value::Null,
        "integer" => text.parse::<i64>().map_or(Value::String(text), Value::from),
        "number" => text.parse::<f64>().map_or(Value::String(text), Value::from),
        "boolean" => text.parse::<bool>().map_or(Value::String(text), Value::from),
        _ => text.into(),
    }
}

/// Creates a column that is always shown.
#[must_use]
pub const fn narrow(name: &'static str) -> Column {
    Column { name, width: Width::Narrow, cells: Cells::Text }
}

/// Creates a column of `-o wide`.
#[must_use]
pub const fn wide(name: &'static str) -> Column {
    Column { name, width: Width::Wide, cells: Cells::Text }
}

/// The text for an empty value.
pub const NONE: &str = "<none>";

/// Returns the text, or `<none>` if it is empty.
#[must_use]
pub fn or_none(text: &str) -> String {
    if text.is_empty() { NONE.to_owned() } else { text.to_owned() }
}

/// Formats a map as `a=b,c=d`; `<none>` if it is empty.
#[must_use]
pub fn pairs(map: &BTreeMap<String, String>) -> String {
    let pairs: Vec<String> = map.iter().map(|(key, value)| format!("{key}={value}")).collect();
    or_none(&pairs.join(","))
}
