//! The parts of a fault: its words, its effect, its receipt and how a random run draws it.

use std::fmt::Display;

use fastrand::Rng;
use squall_faults::{LinkFault, What};

use super::inside::BreakIn;
use super::processes::{Blow, CommandBlow};
use super::victim::{LinkEnd, Victim};

/// A kind of fault. The type's fields are its parameters, in scenarios (serde) and on the command line (clap); its
/// `Display` names it in reports.
pub trait FaultKind: Display + Sized {
    /// Its parameters in a scenario, as the guide shows them.
    const FORM: &'static str;
    /// Its effect in a sentence: the help text, and the guide's.
    const EFFECT: &'static str;
    /// The track of a random run that draws it.
    const TRACK: Track;
    /// Its weight among the faults of its track.
    const WEIGHT: u32;

    /// The work that it asks a family to do.
    fn deed(&self) -> Deed<'_>;

    /// Draws one for a random run.
    fn draw(random: &mut Rng) -> Self;

    /// Recognises it in the process that it breaks. Faults of processes leave nothing there to recognise.
    fn recognise(_what: &What) -> Option<Effect> {
        None
    }
}

/// Faults of one track follow each other in a random run; the tracks run side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Track {
    /// Processes that end or freeze.
    Processes,
    /// Everything else.
    Others,
}

/// The work that a fault asks a family to do.
pub enum Deed<'a> {
    /// Signal members.
    Process(&'static Blow, &'a Victim),
    /// Signal a command.
    Command(&'static CommandBlow, &'a str),
    /// Break the links between two ends.
    Link {
        /// One end.
        from: &'a LinkEnd,
        /// The other end.
        to: &'a LinkEnd,
        /// The fault, without its ends.
        fault: LinkFault,
    },
    /// Ask members to break themselves.
    Inside(BreakIn<'a>),
}

/// A fault in force, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    /// The broken part, in words: `the disk is full`.
    pub text: String,
    /// The unit that its receipt counts: `writes refused`. `None`: the process says it in its own words.
    pub unit: Option<&'static str>,
}

/// A duration as the processes take it. At least one millisecond, since zero means something else.
pub fn milliseconds(duration: std::time::Duration) -> u64 {
    if duration.is_zero() { 0 } else { u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).max(1) }
}
