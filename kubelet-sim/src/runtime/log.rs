//! The log of a container: its last lines, and a signal for new ones.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::watch;

/// Maximum number of lines to keep.
const KEPT: usize = 1_000;
/// Maximum length of the lines to keep.
const KEPT_BYTES: usize = 1 << 20;

/// A line of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// When it was written.
    pub at: Timestamp,
    /// The text without the line break.
    pub text: String,
}

/// The last lines that a container wrote.
#[derive(Debug)]
pub struct Log {
    lines: Mutex<Lines>,
    /// Number of lines so far, and whether the log has ended.
    count: watch::Sender<Count>,
}

#[derive(Debug, Default)]
struct Lines {
    kept: VecDeque<Line>,
    /// Total length of the kept lines.
    bytes: usize,
    /// Number of lines that were dropped.
    gone: usize,
}

/// The progress of a log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Number of lines so far, dropped ones included.
    pub lines: usize,
    /// Whether no more lines follow.
    pub ended: bool,
}

impl Log {
    /// Creates an empty log.
    pub fn new() -> Self {
        Self { lines: Mutex::default(), count: watch::Sender::default() }
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a line, and drops the oldest if there are too many, or if they are too long.
    pub fn write(&self, text: String) {
        let mut lines = self.lines();
        lines.bytes = lines.bytes.saturating_add(text.len());
        lines.kept.push_back(Line { at: Timestamp::now(), text });
        while (lines.kept.len() > KEPT || lines.bytes > KEPT_BYTES)
            && let Some(oldest) = lines.kept.pop_front()
        {
            lines.bytes = lines.bytes.saturating_sub(oldest.text.len());
            lines.gone = lines.gone.saturating_add(1);
        }
        let total = lines.gone.saturating_add(lines.kept.len());
        drop(lines);
        self.count.send_modify(|count| count.lines = total);
    }

    /// Marks the log as ended.
    pub fn end(&self) {
        self.count.send_modify(|count| count.ended = true);
    }

    /// Returns the kept lines from a number on, counted from 0, and the number of the next line.
    pub fn after(&self, number: usize) -> (Vec<Line>, usize) {
        let lines = self.lines();
        let wanted = lines.kept.iter().skip(number.saturating_sub(lines.gone)).cloned().collect();
        (wanted, lines.gone.saturating_add(lines.kept.len()))
    }

    /// Subscribes to the progress of the log: signals when it grows or ends.
    pub fn news(&self) -> watch::Receiver<Count> {
        self.count.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_lines_are_kept() {
        let log = Log::new();
        (0..KEPT + 5).for_each(|number| log.write(number.to_string()));
        let text = |lines: Vec<Line>| lines.into_iter().map(|line| line.text).collect::<Vec<_>>();
        assert_eq!(log.after(0).0.len(), KEPT);
        let (last, next) = log.after(KEPT + 3);
        assert_eq!((text(last), next), (vec![(KEPT + 3).to_string(), (KEPT + 4).to_string()], KEPT + 5));
        assert_eq!(*log.news().borrow(), Count { lines: KEPT + 5, ended: false });
        log.end();
        assert!(log.news().borrow().ended);
    }

    #[test]
    fn long_lines_are_kept_by_their_bytes() {
        let log = Log::new();
        (0..9).for_each(|_| log.write("x".repeat(KEPT_BYTES / 4)));
        assert_eq!(log.after(0).0.len(), 4);
        log.write("x".repeat(KEPT_BYTES + 1));
        assert_eq!(log.after(0), (vec![], 10), "a line that is too long by itself is dropped too");
    }
}
