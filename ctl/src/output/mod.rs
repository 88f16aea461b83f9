//! What commands print: tables, objects, descriptions. The only place that writes to the terminal.

mod changes;
pub mod jsonpath;
mod live;
mod object;
mod report;
mod table;
mod unwatched;

use std::borrow::Cow;
use std::io::{self, ErrorKind, Write};
use std::sync::OnceLock;

pub use changes::Changes;
pub use live::{Live, number};
pub use object::{Format, ManagedFields, Shown, indented, json_of, list_of, named, print_objects};
pub use report::{report, report_usage};
pub use table::{Rows, print_cells, print_table, rows_as_text};
pub use unwatched::unwatched;

use crate::failure::Failure;

/// The first error of standard output. Commands continue after it, to finish what they have begun.
static BROKEN: OnceLock<io::Error> = OnceLock::new();

/// Prints a line to standard output. Others may have written parts of it: no terminal obeys them.
pub fn line(text: &str) {
    raw_line(&escaped(text));
}

/// Prints a line as it is. kubectl: only the logs of containers.
pub fn raw_line(text: &str) {
    written(writeln!(io::stdout(), "{text}"));
}

/// Makes the control characters visible that a terminal obeys, as kubectl does.
pub fn escaped(text: &str) -> Cow<'_, str> {
    match text.contains(['\u{1b}', '\r']) {
        true => text.replace('\u{1b}', "^[").replace('\r', "\\r").into(),
        false => text.into(),
    }
}

/// Prints text to standard output, without a line break.
pub fn text(text: &str) {
    written(write!(io::stdout(), "{text}").and_then(|()| io::stdout().flush()));
}

fn written(result: io::Result<()>) {
    if let Err(error) = result {
        // Only the first error matters.
        BROKEN.get_or_init(|| error);
    }
}

/// Whether writing to standard output has failed.
pub fn is_broken() -> bool {
    BROKEN.get().is_some()
}

/// Returns the error of standard output, if any. A closed pipe is not a failure.
pub fn checked() -> Result<(), Failure> {
    written(io::stdout().flush());
    match BROKEN.get() {
        Some(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::error(format!("writing to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Prints a line to standard error.
pub fn line_error(text: &str) {
    // There is nowhere else to report a failure.
    drop(writeln!(io::stderr(), "{}", escaped(text)));
}

/// Prints the warnings of the server.
pub fn warnings(texts: &[String]) {
    texts.iter().for_each(|text| line_error(&format!("Warning: {text}")));
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn a_terminal_obeys_nobody_elses_text() {
        assert_eq!(escaped("\u{1b}[2Jgone\rback"), "^[[2Jgone\\rback");
        assert_eq!(escaped("kubia \u{e9}\n"), "kubia \u{e9}\n");
    }
}
