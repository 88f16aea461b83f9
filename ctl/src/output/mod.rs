//! What commands print: tables, objects, descriptions. The only place that writes to the terminal.

mod changes;
pub mod jsonpath;
mod live;
mod object;
mod table;
mod unwatched;

use std::io::{self, ErrorKind, Write};
use std::sync::OnceLock;

pub use changes::Changes;
pub use live::{Live, number};
pub use object::{Format, Shown, indented, json_of, list_of, named, print_objects};
pub use table::{Rows, print_cells, print_table, rows_as_text};
pub use unwatched::unwatched;

use crate::failure::Failure;

/// Why standard output takes no more. Commands go on all the same: what they have begun they also end.
static BROKEN: OnceLock<io::Error> = OnceLock::new();

/// A line on standard output.
pub fn line(text: &str) {
    written(writeln!(io::stdout(), "{text}"));
}

/// Text on standard output, as it is.
pub fn text(text: &str) {
    written(write!(io::stdout(), "{text}").and_then(|()| io::stdout().flush()));
}

fn written(result: io::Result<()>) {
    if let Err(error) = result {
        // The first says why; those that come after it do not matter.
        BROKEN.get_or_init(|| error);
    }
}

/// Whether nobody gets to see what is written to standard output.
pub fn is_broken() -> bool {
    BROKEN.get().is_some()
}

/// What was wrong with standard output, if anything. That its reader has gone away is no failure.
pub fn checked() -> Result<(), Failure> {
    written(io::stdout().flush());
    match BROKEN.get() {
        Some(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::error(format!("writing to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// A line on standard error.
pub fn line_error(text: &str) {
    // There is nowhere else to tell of a failure.
    drop(writeln!(io::stderr(), "{text}"));
}

/// Warnings of the server, each once.
pub fn warnings(texts: &[String]) {
    texts.iter().for_each(|text| line_error(&format!("Warning: {text}")));
}
