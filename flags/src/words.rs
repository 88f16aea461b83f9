//! The words of a command line.

use std::ffi::OsString;

/// The words of a command line, without the program.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Words(Vec<OsString>);

/// Returns a flag as it stands on the command line: `--name`.
#[must_use]
pub fn long(name: &str) -> String {
    format!("--{name}")
}

impl Words {
    /// Adds a flag with its value.
    #[must_use]
    pub fn flag(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.0.extend([long(name).into(), value.into()]);
        self
    }

    /// Adds a flag with its value, if there is a value.
    #[must_use]
    pub fn option(self, name: &str, value: Option<impl Into<OsString>>) -> Self {
        match value {
            Some(value) => self.flag(name, value),
            None => self,
        }
    }

    /// Adds a flag once for each value.
    #[must_use]
    pub fn repeated(self, name: &str, values: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        values.into_iter().fold(self, |words, value| words.flag(name, value))
    }

    /// Adds a flag without a value, if it is set.
    #[must_use]
    pub fn switch(mut self, name: &str, is_set: bool) -> Self {
        self.0.extend(is_set.then(|| long(name).into()));
        self
    }

    /// Adds a word that is not a flag.
    #[must_use]
    pub fn word(mut self, word: impl Into<OsString>) -> Self {
        self.0.push(word.into());
        self
    }

    /// Adds the words of another part.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }
}

impl IntoIterator for Words {
    type Item = OsString;
    type IntoIter = std::vec::IntoIter<OsString>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// Reads the words back as clap does in the server. Only for tests.
#[cfg(test)]
pub fn read_back<F: clap::Args + clap::FromArgMatches>(words: Words) -> F {
    let command = F::augment_args(clap::Command::new("server"));
    let program = std::iter::once(OsString::from("server"));
    let matches = command.try_get_matches_from(program.chain(words)).unwrap_or_else(|error| panic!("{error}"));
    F::from_arg_matches(&matches).unwrap_or_else(|error| panic!("{error}"))
}
