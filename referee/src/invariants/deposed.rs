//! An elected leader writes nothing after another has been elected.
//!
//! Requests of a deposed leader may arrive at any time: the store must refuse them (fencing).

use std::fmt::{self, Display};

use serde::Serialize;
use squall_api::coordination::v1::Lease;
use squall_api::meta::parse_resource_version;
use squall_api::write_log::Election;

use super::{Finding, Rule, Scope};
use crate::history::{Fate, History, Subject};

pub const RULE: Rule =
    Rule { name: "no leader writes after another has been elected", writer: "a controller", scope: Scope::EveryWrite };

/// A write of a deposed leader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Violation {
    /// The leader that wrote.
    writer: String,
    /// The election that it had won.
    transitions: i32,
    /// The leader that had replaced it.
    successor: String,
    /// The election of the successor.
    successor_transitions: i32,
    /// The revision of that election.
    won_at: u64,
}

impl Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { writer, transitions, successor, successor_transitions, won_at } = self;
        write!(
            f,
            "{writer} wrote as the winner of election {transitions}, but {successor} had won election \
             {successor_transitions} at revision {won_at}"
        )
    }
}

pub fn check(history: &History) -> Vec<Finding<Violation>> {
    let elections = elections(history);
    let written = history.authors.iter().filter_map(|(revision, author)| Some((*revision, author.elected.as_ref()?)));
    written.filter_map(|(revision, writer)| finding(&elections, revision, writer)).collect()
}

/// Returns every election since the history began, with its revision. An election from before is only known by the last
/// renewal of its Lease. A deleted Lease does not undo its election.
fn elections(history: &History) -> Vec<(u64, Election)> {
    let renewed = |lease: &Lease| parse_resource_version(&lease.metadata.resource_version).unwrap_or(u64::MAX);
    let before = history.start.leases().map(|lease| (renewed(lease), Election::of(lease)));
    let stored = history.changes.iter().filter(|change| change.fate == Fate::Stored);
    let later = stored.filter_map(|change| match &change.subject {
        Subject::Lease(lease) => Some((change.revision, Election::of(lease))),
        _ => None,
    });
    before.chain(later).collect()
}

fn finding(elections: &[(u64, Election)], revision: u64, writer: &Election) -> Option<Finding<Violation>> {
    let before = elections.iter().rev().find(|(won_at, election)| *won_at < revision && election.is_of(writer));
    let (won_at, leader) = before.filter(|(_, leader)| leader != writer)?;
    let violation = Violation {
        writer: writer.holder.clone(),
        transitions: writer.transitions,
        successor: leader.holder.clone(),
        successor_transitions: leader.transitions,
        won_at: *won_at,
    };
    Some(Finding { revision, violation })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    use crate::history::{Author, Change};
    use crate::invariants::fixtures::told;

    #[test]
    fn a_leader_that_another_has_followed_writes_no_more() {
        let lease = |holder: &str, transitions| {
            let mut lease = Lease::default();
            lease.metadata.name = "managers".to_owned();
            lease.metadata.uid = "managers".to_owned();
            lease.spec.holder_identity = Some(holder.to_owned());
            lease.spec.lease_transitions = Some(transitions);
            lease
        };
        let by = |holder: &str, transitions| Author {
            user: "system:kube-controller-manager".to_owned(),
            elected: Some(Election::of(&lease(holder, transitions))),
        };
        let elected = |revision, holder, transitions| Change {
            revision,
            subject: Subject::Lease(Box::new(lease(holder, transitions))),
            fate: Fate::Stored,
            at: Duration::ZERO,
        };
        let mut history = History { changes: vec![elected(5, "b", 2)], ..History::default() };
        let mut known = lease("a", 1);
        known.metadata.resource_version = "2".to_owned();
        let known = Change { subject: Subject::Lease(Box::new(known)), ..elected(2, "a", 1) };
        history.start.apply(&known);
        history.authors.extend([(1, by("b", 0)), (3, by("a", 1)), (4, by("a", 1)), (6, by("b", 2))]);
        assert_eq!(told(check(&history)), [], "every leader wrote in time");
        history.authors.insert(7, by("a", 1));
        let message = "a wrote as the winner of election 1, but b had won election 2 at revision 5";
        assert_eq!(told(check(&history)), [(7, message.to_owned())]);
    }
}
