//! Rules that every write keeps, whatever fails: one file for each, and one line in [`ALL`].
//!
//! A rule judges a write by the states that its writer was allowed to see: any state since it last showed its view, by
//! writing or by reporting. Controllers may lag; they may not act on less than they have acknowledged.

mod availability;
mod deposed;
pub mod limits;
mod min_ready;
pub mod owners;
mod replicas;
mod revisions;
mod surge;

#[cfg(test)]
mod fixtures;

use std::fmt::{self, Display};

use serde::Serialize;

use crate::history::History;

/// The description of an invariant.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// The rule, as a sentence.
    pub name: &'static str,
    /// The controller whose writes it is about.
    pub writer: &'static str,
    /// The part of a history that it judges.
    pub scope: Scope,
}

/// The part of a history that a rule judges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Every write on its own.
    EveryWrite,
    /// The state after the last write.
    TheEnd,
}

/// A write that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding<V> {
    /// The revision of the write.
    pub revision: u64,
    /// The details of the violation.
    pub violation: V,
}

/// An invariant: a rule and the function that finds violations.
pub struct Invariant {
    /// The rule's name, writer and scope.
    pub rule: Rule,
    /// Finds each write that breaks the rule.
    pub check: fn(&History) -> Vec<Finding<Violation>>,
}

/// Generates [`Violation`] and [`ALL`] from the modules above: each has a `RULE`, a `Violation` and a `check`.
macro_rules! invariants {
    ($($name:ident => $module:ident),* $(,)?) => {
        /// The details of a broken rule.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
        #[serde(rename_all = "camelCase")]
        pub enum Violation {
            $(#[doc = concat!("See `", stringify!($module), "`.")] $name($module::Violation),)*
        }

        impl Display for Violation {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$name(violation) => violation.fmt(f),)*
                }
            }
        }

        /// Every invariant.
        pub const ALL: &[Invariant] = &[
            $(Invariant {
                rule: $module::RULE,
                check: |history| {
                    let found = $module::check(history).into_iter();
                    let typed = |f: Finding<_>| Finding { revision: f.revision, violation: Violation::$name(f.violation) };
                    found.map(typed).collect()
                },
            },)*
        ];
    };
}

invariants! {
    Surge => surge,
    Availability => availability,
    Replicas => replicas,
    Revisions => revisions,
    MinReady => min_ready,
    Deposed => deposed,
    Owners => owners,
}
