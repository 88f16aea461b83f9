//! The faults that can be injected: one file for each, and one line in the list below. Scenarios, `ctl fault`, random runs,
//! the guide's table and the shell completion all read that list.
//!
//! `kind` says what a fault has to provide. The families do the work: `processes` signals, `links` cuts and slows, `inside`
//! asks a process to break itself. `victim` names members, `scene` finds them at the moment of the fault, `commands` are
//! the processes that an arm started. `by_hand` is for a running cluster.

pub mod by_hand;
mod commands;
mod inside;
mod kind;
mod links;
mod processes;
mod scene;
mod victim;

mod clock;
mod cut;
mod full_disk;
mod hold;
mod kill;
mod pause;
mod restart;
mod slow;
mod slow_disk;
mod tear;
mod terminate;

use std::fmt::{self, Display};

use clap::Subcommand;
use fastrand::Rng;
use serde::{Deserialize, Serialize};
use squall_faults::What;
use squall_referee::evidence::Receipt;

pub use commands::{CommandState, Commands};
pub use cut::Cut;
pub use full_disk::FullDisk;
pub use kill::Kill;
pub use kind::{Effect, FaultKind, Track};
pub use pause::Pause;
pub use scene::Scene;
pub use slow_disk::SlowDisk;
pub use terminate::Terminate;
pub use victim::{LinkEnd, Target, Victim};

use kind::Deed;

/// The victim of a fault is not running: another fault ended it, or it has not started yet.
#[derive(Debug, thiserror::Error)]
#[error("{0} is not running")]
pub struct NotThere(String);

/// A fault in force.
pub enum Active {
    /// Processes that were signalled.
    Process(processes::Struck),
    /// A command that was signalled.
    Command(processes::StruckCommand),
    /// Links: one of them has to bite.
    Links(inside::Asked),
    /// Members that break themselves: all of them have to.
    Inside(inside::Asked),
}

/// A fault as the list has it.
pub struct Row {
    /// Its word in a scenario: `slowDisk`.
    pub word: String,
    /// Its parameters in a scenario: `{of, sync}`.
    pub form: &'static str,
    /// Its effect in a sentence, as the help shows it.
    pub effect: &'static str,
    /// The track of a random run that draws it.
    pub track: Track,
    /// Its weight among the faults of its track.
    pub weight: u32,
    /// Draws one for a random run.
    pub draw: fn(&mut Rng) -> Fault,
    /// Recognises it in the process that it breaks.
    recognise: fn(&What) -> Option<Effect>,
}

/// Makes [`Fault`] and [`all`] of the modules above: each has a type of this name, which implements [`FaultKind`].
macro_rules! faults {
    ($($name:ident => $module:ident),* $(,)?) => {
        /// A fault with its parameters.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Subcommand)]
        #[serde(rename_all = "camelCase")]
        pub enum Fault {
            $(
                #[doc = concat!("See `", stringify!($module), "`.")]
                #[command(verbatim_doc_comment, about = <$module::$name as FaultKind>::EFFECT, long_about = None)]
                $name($module::$name),
            )*
        }

        impl Display for Fault {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$name(fault) => fault.fmt(f),)*
                }
            }
        }

        impl Fault {
            fn deed(&self) -> Deed<'_> {
                match self {
                    $(Self::$name(fault) => fault.deed(),)*
                }
            }

            /// Its word on the command line, which begins the names of faults: `slow-disk`.
            #[must_use]
            pub fn name(&self) -> String {
                let name = match self {
                    $(Self::$name(_) => stringify!($name),)*
                };
                words(name).join("-")
            }
        }

        /// Every fault.
        #[must_use]
        pub fn all() -> Vec<Row> {
            vec![$(Row {
                word: camel_case(stringify!($name)),
                form: <$module::$name as FaultKind>::FORM,
                effect: <$module::$name as FaultKind>::EFFECT,
                track: <$module::$name as FaultKind>::TRACK,
                weight: <$module::$name as FaultKind>::WEIGHT,
                draw: |random| Fault::$name(<$module::$name as FaultKind>::draw(random)),
                recognise: <$module::$name as FaultKind>::recognise,
            },)*]
        }
    };
}

faults! {
    Kill => kill,
    Terminate => terminate,
    Pause => pause,
    Restart => restart,
    Tear => tear,
    Cut => cut,
    Slow => slow,
    SlowDisk => slow_disk,
    FullDisk => full_disk,
    Clock => clock,
    Hold => hold,
}

/// The words of a type's name, in lower case.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for letter in name.chars() {
        match words.last_mut().filter(|_| letter.is_lowercase()) {
            Some(word) => word.push(letter),
            None => words.push(letter.to_lowercase().collect()),
        }
    }
    words
}

fn camel_case(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(letters).collect()
}

impl Fault {
    /// The command that it breaks, if it breaks one.
    #[must_use]
    pub fn command(&self) -> Option<&str> {
        match self.deed() {
            Deed::Command(_, name) => Some(name),
            Deed::Process(..) | Deed::Link { .. } | Deed::Inside { .. } => None,
        }
    }

    /// Whether it breaks links, which a cluster can be made without.
    #[must_use]
    pub fn needs_links(&self) -> bool {
        match self.deed() {
            Deed::Link { .. } => true,
            Deed::Process(..) | Deed::Command(..) | Deed::Inside(_) => false,
        }
    }

    /// Injects it.
    pub async fn inject(&self, name: &str, scene: &Scene<'_>) -> anyhow::Result<Active> {
        match self.deed() {
            Deed::Process(blow, victim) => processes::strike(blow, victim, scene).await.map(Active::Process),
            Deed::Command(blow, command) => {
                processes::strike_command(blow, command, scene.commands).map(Active::Command)
            }
            Deed::Link { from, to, fault } => links::inject(from, to, &fault, name, scene).await.map(Active::Links),
            Deed::Inside(break_in) => inside::inject(&break_in, name, scene).await.map(Active::Inside),
        }
    }
}

impl Active {
    /// The members and commands that it broke.
    #[must_use]
    pub fn victims(&self) -> Vec<String> {
        match self {
            Self::Process(struck) => struck.victims(),
            Self::Command(struck) => struck.victims(),
            Self::Links(asked) | Self::Inside(asked) => asked.victims(),
        }
    }

    /// Heals it, and reports its effect.
    pub async fn heal(self, scene: &Scene<'_>) -> anyhow::Result<Receipt> {
        match self {
            Self::Process(struck) => Ok(struck.heal(scene).await),
            Self::Command(struck) => struck.heal(scene).await,
            Self::Links(asked) => inside::heal(asked, scene, |bits| bits.contains(&true)).await,
            Self::Inside(asked) => inside::heal(asked, scene, |bits| !bits.contains(&false)).await,
        }
    }
}

/// The effect of a fault that was found in a process, in words.
fn recognise(what: &What) -> Option<Effect> {
    all().iter().find_map(|row| (row.recognise)(what))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::Command;

    use super::*;

    #[test]
    fn each_fault_has_one_word_in_scenarios_and_on_the_command_line() {
        let mut random = Rng::with_seed(1);
        let commands = Fault::augment_subcommands(Command::new("fault"));
        let by_hand: BTreeSet<&str> = commands.get_subcommands().map(Command::get_name).collect();
        for row in all() {
            let fault = (row.draw)(&mut random);
            let json = serde_json::to_value(&fault).unwrap();
            assert_eq!(json.as_object().unwrap().keys().collect::<Vec<_>>(), [&row.word], "{fault}");
            assert_eq!(serde_json::from_value::<Fault>(json).unwrap(), fault);
            assert!(by_hand.contains(fault.name().as_str()), "{} is not among {by_hand:?}", fault.name());
        }
        assert_eq!(by_hand.len(), all().len());
    }

    #[test]
    fn the_guide_has_a_row_for_each_fault() {
        let guide = include_str!("../../../docs/guides/write-a-scenario.md");
        for row in all() {
            let wanted = format!("| `{}: {}` | {} |", row.word, row.form, row.effect);
            assert!(guide.contains(&wanted), "docs/guides/write-a-scenario.md has no row\n{wanted}");
        }
    }
}
