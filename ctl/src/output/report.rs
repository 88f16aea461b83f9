//! The end of a command: its messages on standard error, and its exit code.

use std::process::ExitCode;

use super::{checked, line_error, text};
use crate::failure::Failure;

/// Prints the messages of a failure and returns its exit code.
pub fn report(failure: &Failure) -> ExitCode {
    failure.texts().iter().for_each(|text| line_error(text));
    ExitCode::from(failure.code())
}

/// Reports a command line that clap rejects. Help and version are not failures.
pub fn report_usage(error: &clap::Error) -> ExitCode {
    let rendered = error.render().to_string();
    if !error.use_stderr() {
        text(&rendered);
        return checked().map_or_else(|failure| report(&failure), |()| ExitCode::SUCCESS);
    }
    line_error(rendered.trim_end());
    // kubectl: 1. The lab has verdicts in its exit codes, and none of them may be mistaken for a wrong flag.
    match std::env::args().nth(1).as_deref() {
        Some("chaos" | "demo" | "soak") => ExitCode::from(2),
        _ => ExitCode::FAILURE,
    }
}
