//! A live view: lines that are redrawn in place on a terminal; in a pipe, one line for each change.

use std::io::IsTerminal;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::line_error;

pub struct Live {
    /// `None` in a pipe.
    screen: Option<Screen>,
    /// The last state that was printed to a pipe.
    last: Option<String>,
}

struct Screen {
    all: MultiProgress,
    lines: Vec<ProgressBar>,
}

impl Live {
    /// A view on standard error: standard output is for results.
    pub fn new() -> Self {
        let screen = std::io::stderr().is_terminal().then(|| {
            let all = MultiProgress::with_draw_target(indicatif::ProgressDrawTarget::stderr());
            Screen { all, lines: Vec::new() }
        });
        Self { screen, last: None }
    }

    /// Shows these lines from now on, the first one after the time `stamp`. In a pipe, prints them only when `state`
    /// changes, which leaves out the values that change all the time.
    pub fn show(&mut self, stamp: &str, state: &str, lines: &[String]) {
        match &mut self.screen {
            Some(screen) => screen.draw(stamp, lines),
            None if self.last.as_deref() != Some(state) => {
                line_error(&format!("{stamp}  {}", lines.join("; ")));
                self.last = Some(state.to_owned());
            }
            None => {}
        }
    }
}

impl Screen {
    fn draw(&mut self, stamp: &str, lines: &[String]) {
        while self.lines.len() < lines.len() {
            let bar = self.all.add(ProgressBar::no_length());
            // The template is a constant; if it were wrong, the default one would do.
            if let Ok(style) = ProgressStyle::with_template("{msg}") {
                bar.set_style(style);
            }
            self.lines.push(bar);
        }
        for (index, bar) in self.lines.iter().enumerate() {
            let text = lines.get(index).map_or("", String::as_str);
            bar.set_message(if index == 0 { format!("{stamp}  {text}") } else { format!("         {text}") });
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        for bar in &self.lines {
            bar.abandon();
        }
    }
}

/// A count with commas between thousands.
pub fn number(count: usize) -> String {
    indicatif::HumanCount(count as u64).to_string()
}
