//! Who was elected leader writes nothing any more when another has been elected.
//!
//! What a leader sent before it was followed may arrive at any time: the store has to refuse it (fencing).

use squall_api::coordination::v1::Lease;
use squall_api::meta::parse_resource_version;

use super::{Finding, Invariant};
use crate::history::{Election, Fate, History, Subject};

/// The rule.
pub const INVARIANT: Invariant = Invariant {
    name: "no leader writes when another has been elected",
    writer: "a controller",
    is_of_the_end: false,
    check,
};

fn check(history: &History) -> Vec<Finding> {
    let elections = elections(history);
    let written = history.authors.iter().filter_map(|(revision, author)| Some((*revision, author.elected.as_ref()?)));
    written.filter_map(|(revision, writer)| finding(&elections, revision, writer)).collect()
}

/// Every election since the history began, and the revision at which it was won. Before that nothing is known: a Lease that was there
/// has been renewed at its revision, and who had it earlier cannot be told. Who has won stays so when the Lease is deleted.
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

fn finding(elections: &[(u64, Election)], revision: u64, writer: &Election) -> Option<Finding> {
    let before = elections.iter().rev().find(|(won_at, election)| *won_at < revision && election.is_of(writer));
    let (won_at, leader) = before.filter(|(_, leader)| leader != writer)?;
    let Election { holder, transitions, .. } = writer;
    let message = format!(
        "{holder} wrote as the winner of election {transitions}, but {} had won election {} at revision {won_at}",
        leader.holder, leader.transitions
    );
    Some((revision, message))
}
