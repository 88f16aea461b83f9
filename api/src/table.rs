//! Tables of objects: the columns of a kind, and text cells.

use std::collections::BTreeMap;

/// A column of a kind's table.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// The heading.
    pub name: &'static str,
    /// When it is shown.
    pub width: Width,
}

/// When a column is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// Always.
    Narrow,
    /// With `-o wide`.
    Wide,
}

/// A column that is always shown.
#[must_use]
pub const fn narrow(name: &'static str) -> Column {
    Column { name, width: Width::Narrow }
}

/// A column of `-o wide`.
#[must_use]
pub const fn wide(name: &'static str) -> Column {
    Column { name, width: Width::Wide }
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
