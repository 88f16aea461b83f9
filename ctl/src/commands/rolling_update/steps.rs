//! The named steps of an update, so that an update can be stopped after any of them.

use std::collections::HashMap;

use rustix::process::{Signal, getpid, kill_process};

use crate::output::line_error;

/// Counts how often each step was taken.
pub struct Steps {
    /// Name and number of the step, from `scale-up:2`; without a number, the first.
    stop_after: Option<(String, usize)>,
    taken: HashMap<String, usize>,
}

impl Steps {
    /// Stops after this step, if one is named.
    pub fn new(stop_after: Option<&str>) -> Self {
        let stop_after = stop_after.map(|text| {
            let (name, number) = text.split_once(':').unwrap_or((text, "1"));
            (name.to_owned(), number.parse().unwrap_or(1))
        });
        Self { stop_after, taken: HashMap::new() }
    }

    /// Counts a step. If it is the one to stop after, this process stops itself (SIGSTOP): a test may then inject a
    /// fault, kill it, or let it continue (SIGCONT).
    pub fn passed(&mut self, name: &str) {
        let count = self.taken.entry(name.to_owned()).or_default();
        *count += 1;
        let here = (name.to_owned(), *count);
        if self.stop_after.as_ref() == Some(&here) {
            line_error(&format!("stopped after {name}:{count}"));
            if let Err(error) = kill_process(getpid(), Signal::STOP) {
                line_error(&format!("could not stop: {error}"));
            }
        }
    }
}
