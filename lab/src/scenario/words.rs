//! A command line in a scenario: one text in the file, words in memory. Quotes work as in a shell.

use serde::{Deserialize, Deserializer, Serializer, de};

/// Reads a command line.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let line = String::deserialize(deserializer)?;
    shlex::split(&line).ok_or_else(|| de::Error::custom(format!("unbalanced quotes in {line:?}")))
}

/// Writes a command line.
pub fn serialize<S: Serializer>(words: &[String], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&join(words))
}

/// A command line of words. Words with a zero byte, which no process can take, are left out.
pub fn join(words: &[String]) -> String {
    let quoted = words.iter().filter_map(|word| shlex::try_quote(word).ok());
    quoted.collect::<Vec<_>>().join(" ")
}
