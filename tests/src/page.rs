//! Pages with commands and their output: a page is a test.

use crate::transcript::{Shell, masked};

/// The fence of commands that are run; those in other fences are for readers.
const FENCE: &str = "```console";

/// A page, split into prose and commands.
#[derive(Debug)]
pub struct Page {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    /// Prose, including its fences.
    Text(String),
    /// A command and its output.
    Command { command: String, output: String },
}

impl Piece {
    fn command(&self) -> Option<(&str, &str)> {
        match self {
            Self::Command { command, output } => Some((command, output)),
            Self::Text(_) => None,
        }
    }
}

impl Page {
    /// Parses a page.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut pieces = Vec::new();
        let mut within = false;
        for line in text.lines() {
            match (within, line.strip_prefix("$ "), pieces.last_mut()) {
                (true, Some(command), _) => {
                    pieces.push(Piece::Command { command: command.to_owned(), output: String::new() });
                }
                (true, None, Some(Piece::Command { output, .. })) if line != "```" => {
                    output.push_str(&format!("{line}\n"));
                }
                (_, _, Some(Piece::Text(prose))) => prose.push_str(&format!("{line}\n")),
                _ => pieces.push(Piece::Text(format!("{line}\n"))),
            }
            within = line == FENCE || (within && line != "```");
        }
        Self { pieces }
    }

    /// Returns the page's commands.
    #[must_use]
    pub fn commands(&self) -> Vec<&str> {
        self.pieces.iter().filter_map(Piece::command).map(|(command, _)| command).collect()
    }

    /// Returns the outputs of the commands.
    #[must_use]
    pub fn outputs(&self) -> Vec<&str> {
        self.pieces.iter().filter_map(Piece::command).map(|(_, output)| output).collect()
    }

    /// Runs the commands and returns the page with their current output.
    pub async fn play(&self, shell: &Shell) -> anyhow::Result<Self> {
        let mut pieces = Vec::new();
        for piece in &self.pieces {
            pieces.push(match piece {
                Piece::Text(_) => piece.clone(),
                Piece::Command { command, .. } => {
                    // As on a terminal: both streams, in order.
                    let printed = shell.run(&format!("{{ {command}\n}} 2>&1")).await?.stdout;
                    let end = if printed.is_empty() || printed.ends_with('\n') { "" } else { "\n" };
                    Piece::Command { command: command.clone(), output: printed + end }
                }
            });
        }
        Ok(Self { pieces })
    }

    /// Returns the page's text.
    #[must_use]
    pub fn text(&self) -> String {
        let text = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Command { command, output } => format!("$ {command}\n{output}"),
        };
        self.pieces.iter().map(text).collect()
    }

    /// Returns the text for comparison: masked, and without the lines that wait for a rollout.
    pub fn compared(&self) -> anyhow::Result<String> {
        let text = masked(&self.text())?;
        Ok(text
            .lines()
            .filter(|line| !line.starts_with("Waiting for deployment "))
            .map(|line| format!("{line}\n"))
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_those_in_the_right_fences() {
        let text = "prose\n```sh\n$ not run\n```\n```console\n$ a\nout\n$ b\n```\nend\n";
        let page = Page::parse(text);
        assert_eq!((page.commands(), page.text()), (vec!["a", "b"], text.to_owned()));
    }
}
