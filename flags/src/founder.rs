//! The founders of a Raft group.

use std::fmt::{self, Display};
use std::str::FromStr;

/// A member that founds a group: `1=https://127.0.0.1:6443`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Founder {
    /// Its Raft ID.
    pub id: u64,
    /// Its URL.
    pub url: String,
}

impl FromStr for Founder {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (id, url) = text.split_once('=').ok_or_else(|| format!("{text:?} is not of the form ID=URL"))?;
        Ok(Self { id: id.parse().map_err(|_| format!("{id:?} is not a number"))?, url: url.to_owned() })
    }
}

impl Display for Founder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.id, self.url)
    }
}

/// Returns the words for `--founder`.
pub(crate) fn words(founders: &[Founder]) -> Vec<String> {
    founders.iter().map(ToString::to_string).collect()
}
