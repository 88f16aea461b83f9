//! Compares a member's log with its newest snapshot, before it takes part in its group. Each promises something about the
//! other: a member that has lost a part of either has forgotten what it acknowledged, and may not vote.

use super::types::{LogId, Vote};

/// Checks that the log is not older than the newest snapshot, and that the snapshot has what was purged from the log.
/// The error says what is missing.
pub fn check(vote: Option<Vote>, purged: Option<LogId>, snapshot: Option<LogId>) -> Result<(), String> {
    let vote_term = vote.map_or(0, |vote| vote.leader_id.term);
    let snapshot_term = snapshot.map_or(0, |id| id.leader_id.term);
    // A vote is on disk before anything of its term.
    if snapshot_term > vote_term {
        return Err(format!(
            "the newest snapshot is of term {snapshot_term}, but the last vote in the log is of term {vote_term}: the \
             log is older than the snapshot"
        ));
    }
    match (purged, snapshot) {
        (Some(purged), None) => {
            Err(format!("the log begins after entry {}, but there is no snapshot of the entries before", purged.index))
        }
        (Some(purged), Some(snapshot)) if purged.index > snapshot.index => Err(format!(
            "the log begins after entry {}, but the newest snapshot ends at entry {}: a newer one is gone",
            purged.index, snapshot.index
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::types::LeaderId;
    use super::*;

    #[test]
    fn what_the_log_and_the_snapshot_promise_each_other() {
        let vote = |term| Some(Vote { leader_id: LeaderId { term, node_id: 2 }, committed: true });
        let id = |term, index| Some(LogId { leader_id: LeaderId { term, node_id: 1 }, index });
        let cases = [
            (None, None, None, None, "a new member"),
            (None, None, id(0, 50), None, "a restored one"),
            (vote(3), None, id(3, 50), None, "nothing is purged yet"),
            (vote(4), id(2, 40), id(3, 50), None, "some entries are kept behind the snapshot"),
            (vote(4), id(3, 50), id(3, 50), None, "no entries are kept"),
            (None, None, id(1, 50), Some("the last vote in the log is of term 0"), "the log is empty"),
            (vote(2), None, id(3, 50), Some("older than the snapshot"), "an older log"),
            (vote(4), id(3, 50), None, Some("there is no snapshot"), "the snapshot is gone"),
            (vote(4), id(3, 50), id(3, 49), Some("a newer one is gone"), "an older snapshot"),
        ];
        for (vote, purged, snapshot, wanted, case) in cases {
            let found = check(vote, purged, snapshot);
            let fits = match (&found, wanted) {
                (Ok(()), None) => true,
                (Err(error), Some(wanted)) => error.contains(wanted),
                _ => false,
            };
            assert!(fits, "{case}: {found:?}");
        }
    }
}
