//! What commands print: tables, objects, descriptions. The only place that writes to the terminal.

mod live;
mod object;
mod table;

use std::io::Write;

pub use live::{Live, number};
pub use object::{Format, named, print_objects};
pub use table::{Rows, print_cells, print_table};

/// A line on standard output. Who reads it may have gone away; that is no failure.
pub fn line(text: &str) {
    drop(writeln!(std::io::stdout(), "{text}"));
}

/// Text on standard output, as it is.
pub fn text(text: &str) {
    drop(write!(std::io::stdout(), "{text}").and_then(|()| std::io::stdout().flush()));
}

/// A line on standard error.
pub fn line_error(text: &str) {
    drop(writeln!(std::io::stderr(), "{text}"));
}

/// Warnings of the server, each once.
pub fn warnings(texts: &[String]) {
    texts.iter().for_each(|text| line_error(&format!("Warning: {text}")));
}
