//! Tables as kubectl prints them: each column is three wider than its widest cell, the last one is not padded.

use jiff::Timestamp;
use squall_api::table::Width;
use squall_api::{Kind, Object};

use super::line;

/// Spaces between two columns. A column with its gap has at least twice this width.
const GAP: usize = 3;

/// How a table is shown.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    pub wide: bool,
    pub show_labels: bool,
    pub no_headers: bool,
    /// Start with a column of namespaces.
    pub all_namespaces: bool,
    /// Put the kind before each name.
    pub with_kind: bool,
    /// A column for each of these labels.
    pub label_columns: Vec<String>,
    /// Start with a column for the watch event: `ADDED`, `MODIFIED` or `DELETED`.
    pub event: Option<&'static str>,
    /// Minimum widths of the columns: those of the rows that are already printed.
    pub widths: Vec<usize>,
}

/// Prints the table of objects of one kind; returns how wide its columns are.
pub fn print_table(kind: Kind, objects: &[Object], rows: &Rows, now: Timestamp) -> Vec<usize> {
    let mut cells = Vec::new();
    if !rows.no_headers {
        cells.push(header(kind, objects, rows));
    }
    cells.extend(objects.iter().map(|object| row(object, rows, now)));
    let widths = widths(&cells, &rows.widths);
    aligned(&cells, &widths, GAP).iter().for_each(|text| line(text));
    widths
}

/// The heading of each column of an object's kind, and whether it is for wide tables only.
fn columns(kind: Kind, object: Option<&Object>) -> Vec<(String, Width)> {
    match object.and_then(Object::version).map(|version| version.columns()) {
        Some(columns) if !columns.is_empty() => {
            let width = |priority| if priority > 0 { Width::Wide } else { Width::Narrow };
            let own = columns.iter().map(|column| (column.column.name.to_uppercase(), width(column.column.priority)));
            std::iter::once(("NAME".to_owned(), Width::Narrow)).chain(own).collect()
        }
        _ => kind.columns().iter().map(|column| (column.heading(), column.width)).collect(),
    }
}

fn header(kind: Kind, objects: &[Object], rows: &Rows) -> Vec<String> {
    let mut cells: Vec<String> = rows.event.map(|_| "EVENT".to_owned()).into_iter().collect();
    cells.extend(rows.all_namespaces.then(|| "NAMESPACE".to_owned()));
    let shown = columns(kind, objects.first()).into_iter().filter(|(_, width)| rows.wide || *width == Width::Narrow);
    cells.extend(shown.map(|(heading, _)| heading));
    let short = |key: &str| key.rsplit('/').next().unwrap_or(key).to_uppercase();
    cells.extend(rows.label_columns.iter().map(|key| short(key)));
    cells.extend(rows.show_labels.then(|| "LABELS".to_owned()));
    cells
}

fn row(object: &Object, rows: &Rows, now: Timestamp) -> Vec<String> {
    let kind = object.kind();
    let mut cells: Vec<String> = rows.event.map(str::to_owned).into_iter().collect();
    cells.extend(rows.all_namespaces.then(|| object.meta().namespace.clone()));
    for ((heading, width), cell) in columns(kind, Some(object)).into_iter().zip(object.row(now)) {
        if width == Width::Wide && !rows.wide {
            continue;
        }
        let is_name = heading == "NAME";
        let cell = if is_name && rows.with_kind { format!("{}/{cell}", kind.info().singular_group()) } else { cell };
        // Kubernetes: a cell ends at its first line break.
        cells.push(match cell.split_once(['\n', '\r', '\u{c}']) {
            Some((first, _)) => format!("{first}..."),
            None => cell,
        });
    }
    let labels = &object.meta().labels;
    cells.extend(rows.label_columns.iter().map(|key| labels.get(key).cloned().unwrap_or_default()));
    cells.extend(rows.show_labels.then(|| squall_api::table::pairs(labels)));
    cells
}

/// Prints cells in columns.
pub fn print_cells(rows: &[Vec<String>], gap: usize) {
    rows_as_text(rows, gap).iter().for_each(|text| line(text));
}

/// Formats cells in columns, one line for each row.
pub fn rows_as_text(rows: &[Vec<String>], gap: usize) -> Vec<String> {
    aligned(rows, &widths(rows, &[]), gap)
}

/// The width of each column, at least the one in `before`.
fn widths(rows: &[Vec<String>], before: &[usize]) -> Vec<usize> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let cells = |column: usize| rows.iter().filter_map(move |row| row.get(column)).map(|cell| cell.chars().count());
    (0..columns).map(|column| cells(column).chain(before.get(column).copied()).max().unwrap_or(0)).collect()
}

fn aligned(rows: &[Vec<String>], widths: &[usize], gap: usize) -> Vec<String> {
    let lines = rows.iter().map(|row| {
        let padded = row.iter().enumerate().map(|(column, cell)| match column + 1 == row.len() {
            true => cell.clone(),
            false => format!("{cell:<width$}", width = (widths[column] + gap).max(2 * gap)),
        });
        padded.collect::<String>()
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::rows_as_text;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_three_more() {
        let rows = [vec!["NAME".to_owned(), "AGE".to_owned()], vec!["kubia-1".to_owned(), "2s".to_owned()]];
        assert_eq!(rows_as_text(&rows, 3), ["NAME      AGE", "kubia-1   2s"]);
    }
}
