//! What must hold of every write, whatever breaks: a file for each rule, and one line in [`ALL`].
//!
//! A write is judged by the states that its writer was allowed to see: any since it last showed what it had seen, by
//! writing or by reporting. Controllers may be late; they may not act on less than they have acknowledged.

mod availability;
mod deposed;
pub mod limits;
mod min_ready;
pub mod owners;
mod replicas;
mod revisions;
mod surge;

use std::fmt::{self, Display};
use std::time::Duration;

use crate::history::History;

/// A write that must not be.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Violation {
    /// The revision of the write.
    pub revision: u64,
    /// Who made it, and in which process, where that is known.
    pub writer: String,
    /// When the recorder learnt of it, after it began.
    #[serde(with = "crate::span")]
    pub at: Duration,
    /// Which rule it breaks.
    pub invariant: &'static str,
    /// What happened, in a sentence.
    pub message: String,
}

impl Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { revision, writer, invariant, message, at } = self;
        write!(f, "revision {revision}, written by {writer} after {:.1} s: {message} ({invariant})", at.as_secs_f64())
    }
}

/// A rule.
pub struct Invariant {
    /// The rule, as a sentence.
    pub name: &'static str,
    /// Who makes the writes that it is about.
    pub writer: &'static str,
    /// It is about what there is in the end, and not about one write.
    pub is_of_the_end: bool,
    /// Finds what breaks it. The invariant's name is added by the referee.
    pub check: fn(&History) -> Vec<Finding>,
}

/// The revision and the description of a broken rule.
pub type Finding = (u64, String);

/// Every rule.
pub const ALL: &[Invariant] = &[
    surge::INVARIANT,
    availability::INVARIANT,
    replicas::INVARIANT,
    revisions::INVARIANT,
    min_ready::INVARIANT,
    deposed::INVARIANT,
    owners::INVARIANT,
];

#[cfg(test)]
mod examples;
