//! Tables of objects: the columns of a kind, and text cells.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// A column of a kind's table.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// The heading, as the server tells it; clients print it in capitals.
    pub name: &'static str,
    /// When it is shown.
    pub width: Width,
    /// What its cells are.
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

/// What the cells of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cells {
    /// Text.
    Text,
    /// Whole numbers.
    Integers,
}

impl Column {
    /// The same column, whose cells are whole numbers.
    #[must_use]
    pub const fn integer(self) -> Self {
        Self { cells: Cells::Integers, ..self }
    }

    /// The heading as it is printed.
    #[must_use]
    pub fn heading(&self) -> String {
        self.name.to_uppercase()
    }

    /// The column as it is described in a `Table`.
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

    /// A cell as it stands in a `Table`.
    #[must_use]
    pub fn cell(&self, text: String) -> Value {
        match (self.cells, text.parse::<i64>()) {
            (Cells::Integers, Ok(number)) => number.into(),
            _ => text.into(),
        }
    }
}

/// A column that is always shown.
#[must_use]
pub const fn narrow(name: &'static str) -> Column {
    Column { name, width: Width::Narrow, cells: Cells::Text }
}

/// A column of `-o wide`.
#[must_use]
pub const fn wide(name: &'static str) -> Column {
    Column { name, width: Width::Wide, cells: Cells::Text }
}

/// What stands for nothing.
pub const NONE: &str = "<none>";

/// The text, or `<none>`.
#[must_use]
pub fn or_none(text: &str) -> String {
    if text.is_empty() { NONE.to_owned() } else { text.to_owned() }
}

/// `a=b,c=d`, or `<none>`.
#[must_use]
pub fn pairs(map: &BTreeMap<String, String>) -> String {
    let pairs: Vec<String> = map.iter().map(|(key, value)| format!("{key}={value}")).collect();
    or_none(&pairs.join(","))
}
