//! Checks the messages of other members before openraft sees them. A message that no correct member sends could end
//! every member that believes it: openraft counts with the numbers in it and applies the entries in it.

use openraft::raft::{AppendEntriesRequest, TransferLeaderRequest, VoteRequest};
use prost::Message;
use squall_proto::squall::raft::v1 as proto;

use super::types::{Command, Entry, LogId, Payload, TypeConfig, Vote};
use crate::keys;
use crate::store::Transaction;

/// Largest term and index of a message. No group comes near, and openraft can count on from here.
const LARGEST: u64 = 1 << 48;

/// The error in a message.
pub type Problem = String;

fn vote(vote: &Vote) -> Result<(), Problem> {
    bounded("term", vote.leader_id.term)
}

fn bounded(what: &str, number: u64) -> Result<(), Problem> {
    if number <= LARGEST { Ok(()) } else { Err(format!("the {what} {number} is above {LARGEST}")) }
}

/// Checks the ID of an entry.
pub fn log_id(id: &LogId) -> Result<(), Problem> {
    bounded("term", id.leader_id.term)?;
    bounded("index", id.index)
}

fn ensure(holds: bool, problem: &str) -> Result<(), Problem> {
    if holds { Ok(()) } else { Err(problem.to_owned()) }
}

/// Checks an append: it comes from a leader, and its entries follow one another and can be applied.
pub fn append(request: &AppendEntriesRequest<TypeConfig>) -> Result<(), Problem> {
    vote(&request.vote)?;
    ensure(request.vote.committed, "the sender of an append is no leader")?;
    request.leader_commit.iter().try_for_each(log_id)?;
    request.prev_log_id.iter().try_for_each(log_id)?;
    let mut previous = request.prev_log_id;
    for Entry { log_id: id, payload } in &request.entries {
        log_id(id)?;
        let next = previous.map_or(0, |previous| previous.index.saturating_add(1));
        ensure(id.index == next, "the entries of an append leave a gap")?;
        let term = id.leader_id.term;
        let earlier = previous.map_or(0, |previous| previous.leader_id.term);
        ensure((earlier..=request.vote.leader_id.term).contains(&term), "the terms of an append are out of order")?;
        if let Payload::Normal(entry) = payload {
            command(entry)?;
        }
        previous = Some(*id);
    }
    Ok(())
}

/// Checks that a command can be applied. Copies no values.
fn command(command: &Command) -> Result<(), Problem> {
    let request = proto::ProposeRequest::decode(command.0.clone()).map_err(|error| error.to_string())?;
    for transaction in &request.transactions {
        ensure(transaction.request_id.len() == 16, "a request ID is not 16 bytes long")?;
        ensure(transaction.compares.iter().all(|compare| compare.target.is_some()), "a comparison has no target")?;
    }
    Ok(())
}

/// Checks a request for a vote.
pub fn vote_request(request: &VoteRequest<TypeConfig>) -> Result<(), Problem> {
    vote(&request.vote)?;
    ensure(!request.vote.committed, "a leader does not ask for votes")?;
    request.last_log_id.iter().try_for_each(log_id)?;
    let last = request.last_log_id.map_or(0, |id| id.leader_id.term);
    ensure(last <= request.vote.leader_id.term, "the candidate's log is of a later term than its vote")
}

/// Checks the vote and the last entry that come with a snapshot.
pub fn snapshot(by: &Vote, last: Option<&LogId>) -> Result<(), Problem> {
    vote(by)?;
    ensure(by.committed, "the sender of a snapshot is no leader")?;
    last.into_iter().try_for_each(log_id)?;
    ensure(
        last.is_none_or(|id| id.leader_id.term <= by.leader_id.term),
        "the snapshot is of a later term than its vote",
    )
}

/// Checks a request to take over leadership.
pub fn transfer(request: &TransferLeaderRequest<TypeConfig>) -> Result<(), Problem> {
    vote(request.from_leader())?;
    request.last_log_id().into_iter().try_for_each(log_id)
}

/// Checks that readers can read what a transaction writes.
pub fn transaction(transaction: &Transaction) -> Result<(), Problem> {
    for write in &transaction.writes {
        let value = write.value.as_deref();
        keys::check(&write.key, value).map_err(|problem| format!("the write to {:?}: {problem}", write.key))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use squall_api::Object;
    use squall_api::core::v1::ConfigMap;

    use super::super::codec::encode_command;
    use super::super::types::LeaderId;
    use super::*;
    use crate::store::Write;

    fn by(term: u64, committed: bool) -> Vote {
        Vote { leader_id: LeaderId { term, node_id: 1 }, committed }
    }

    fn id(term: u64, index: u64) -> LogId {
        LogId { leader_id: LeaderId { term, node_id: 1 }, index }
    }

    fn blank(term: u64, index: u64) -> Entry {
        Entry { log_id: id(term, index), payload: Payload::Blank }
    }

    fn appended(vote: Vote, previous: Option<LogId>, entries: Vec<Entry>) -> Result<(), Problem> {
        append(&AppendEntriesRequest { vote, prev_log_id: previous, entries, leader_commit: None })
    }

    #[test]
    fn an_append_follows_its_previous_entry_and_can_be_applied() {
        let leader = by(3, true);
        assert_eq!(appended(leader, None, vec![]), Ok(()));
        assert_eq!(appended(leader, None, vec![blank(0, 0), blank(3, 1)]), Ok(()));
        assert_eq!(appended(leader, Some(id(2, 7)), vec![blank(2, 8), blank(3, 9)]), Ok(()));
        let whole = Payload::Normal(encode_command(vec![]));
        assert_eq!(appended(leader, Some(id(2, 7)), vec![Entry { log_id: id(3, 8), payload: whole }]), Ok(()));
        let garbage = Payload::Normal(Command(Bytes::from_static(b"\xff\xff")));
        let nameless = proto::ProposeRequest { transactions: vec![proto::Transaction::default()] };
        let nameless = Payload::Normal(Command(nameless.encode_to_vec().into()));
        for (vote, previous, entries) in [
            (by(3, false), None, vec![]),
            (by(u64::MAX, true), None, vec![]),
            (leader, Some(id(2, u64::MAX)), vec![]),
            (leader, Some(id(u64::MAX, 2)), vec![]),
            (leader, None, vec![blank(3, 1)]),
            (leader, Some(id(2, 7)), vec![blank(2, 9)]),
            (leader, Some(id(2, 7)), vec![blank(2, 8), blank(2, 8)]),
            (leader, Some(id(2, 7)), vec![blank(1, 8)]),
            (leader, Some(id(2, 7)), vec![blank(4, 8)]),
            (leader, None, vec![Entry { log_id: id(3, 0), payload: garbage }]),
            (leader, None, vec![Entry { log_id: id(3, 0), payload: nameless }]),
        ] {
            assert!(appended(vote, previous, entries.clone()).is_err(), "{vote:?} {previous:?} {entries:?}");
        }
        let leader_commit = Some(id(1, u64::MAX));
        assert!(
            append(&AppendEntriesRequest { vote: leader, prev_log_id: None, entries: vec![], leader_commit }).is_err()
        );
    }

    #[test]
    fn votes_and_snapshots_are_of_possible_terms() {
        let asked =
            |vote, last_log_id| vote_request(&VoteRequest { vote, last_log_id, leadership_transfer: false }).is_ok();
        assert!(asked(by(5, false), None) && asked(by(5, false), Some(id(4, 9))));
        assert!(!asked(by(u64::MAX, false), None) && !asked(by(5, true), None) && !asked(by(5, false), Some(id(6, 9))));
        assert!(snapshot(&by(5, true), Some(&id(4, 9))).is_ok());
        assert!(snapshot(&by(5, false), None).is_err() && snapshot(&by(5, true), Some(&id(6, 9))).is_err());
        assert!(transfer(&TransferLeaderRequest::new(by(u64::MAX, true), 1, None)).is_err());
    }

    #[test]
    fn a_transaction_writes_what_can_be_read() {
        let written = |key: &str, value: Option<&[u8]>| {
            let write = Write { key: key.to_owned(), value: value.map(Bytes::copy_from_slice) };
            transaction(&Transaction { request_id: [0; 16], compares: vec![], writes: vec![write] })
        };
        let mut map = ConfigMap::default();
        map.metadata.name = "a".to_owned();
        map.metadata.namespace = "default".to_owned();
        let map = Object::from(map).encode();
        assert_eq!(written("configmaps/default/a", Some(&map)), Ok(()));
        assert!(written("configmaps/default/b", Some(&map)).is_err());
        assert_eq!(written("configmaps/default/a", None), Ok(()));
        assert_eq!(written("@node-port/30000", Some(b"uid")), Ok(()));
        for key in ["", "a", "configmaps", "configmaps/", "configmaps/default", "nodes/a/b", "@other/a", "@fence/"] {
            assert!(written(key, None).is_err(), "{key}");
        }
        assert!(written("configmaps/default/a", Some(b"\xff\xff")).is_err());
    }
}
