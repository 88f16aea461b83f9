//! Converts Raft messages between our wire format and openraft's types.

use std::io;

use openraft::raft::{
    AppendEntriesRequest, StreamAppendError, StreamAppendResult, TransferLeaderRequest, VoteRequest, VoteResponse,
};
use squall_proto::squall::raft::v1 as proto;

use super::codec::{decode_payload, encode_payload};
use super::types::{Entry, LeaderId, LogId, TypeConfig, Vote};

fn missing(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("a Raft message lacks its {what}"))
}

pub fn leader_id_to(id: &LeaderId) -> proto::LeaderId {
    proto::LeaderId { term: id.term, node: id.node_id }
}

fn leader_id_from(id: Option<proto::LeaderId>) -> io::Result<LeaderId> {
    id.map(|id| LeaderId { term: id.term, node_id: id.node }).ok_or_else(|| missing("leader id"))
}

pub fn vote_to(vote: &Vote) -> proto::Vote {
    proto::Vote { leader: Some(leader_id_to(&vote.leader_id)), committed: vote.committed }
}

pub fn vote_from(vote: Option<proto::Vote>) -> io::Result<Vote> {
    let vote = vote.ok_or_else(|| missing("vote"))?;
    Ok(Vote { leader_id: leader_id_from(vote.leader)?, committed: vote.committed })
}

pub fn log_id_to(id: &LogId) -> proto::LogId {
    proto::LogId { leader: Some(leader_id_to(&id.leader_id)), index: id.index }
}

pub fn log_id_from(id: Option<proto::LogId>) -> io::Result<Option<LogId>> {
    id.map(|id| Ok(LogId { leader_id: leader_id_from(id.leader)?, index: id.index })).transpose()
}

pub fn entry_to(entry: &Entry) -> io::Result<proto::Entry> {
    Ok(proto::Entry { id: Some(log_id_to(&entry.log_id)), payload: encode_payload(&entry.payload)? })
}

pub fn entry_from(entry: proto::Entry) -> io::Result<Entry> {
    let log_id = log_id_from(entry.id)?.ok_or_else(|| missing("log id"))?;
    Ok(Entry { log_id, payload: decode_payload(&entry.payload)? })
}

pub fn append_to(request: &AppendEntriesRequest<TypeConfig>) -> io::Result<proto::AppendRequest> {
    Ok(proto::AppendRequest {
        vote: Some(vote_to(&request.vote)),
        previous: request.prev_log_id.as_ref().map(log_id_to),
        entries: request.entries.iter().map(entry_to).collect::<Result<_, _>>()?,
        leader_commit: request.leader_commit.as_ref().map(log_id_to),
    })
}

pub fn append_from(request: proto::AppendRequest) -> io::Result<AppendEntriesRequest<TypeConfig>> {
    Ok(AppendEntriesRequest {
        vote: vote_from(request.vote)?,
        prev_log_id: log_id_from(request.previous)?,
        entries: request.entries.into_iter().map(entry_from).collect::<Result<_, _>>()?,
        leader_commit: log_id_from(request.leader_commit)?,
    })
}

pub fn append_reply_to(result: &StreamAppendResult<TypeConfig>) -> proto::AppendReply {
    use proto::append_reply::Result as Reply;
    let reply = match result {
        Ok(last) => Reply::Matched(proto::Matched { last: last.as_ref().map(log_id_to) }),
        Err(StreamAppendError::Conflict(at)) => Reply::Conflict(proto::Conflict { at: Some(log_id_to(at)) }),
        Err(StreamAppendError::HigherVote(vote)) => Reply::HigherVote(vote_to(vote)),
    };
    proto::AppendReply { result: Some(reply) }
}

pub fn append_reply_from(reply: proto::AppendReply) -> io::Result<StreamAppendResult<TypeConfig>> {
    use proto::append_reply::Result as Reply;
    Ok(match reply.result.ok_or_else(|| missing("result"))? {
        Reply::Matched(matched) => Ok(log_id_from(matched.last)?),
        Reply::Conflict(conflict) => {
            Err(StreamAppendError::Conflict(log_id_from(conflict.at)?.ok_or_else(|| missing("log id"))?))
        }
        Reply::HigherVote(vote) => Err(StreamAppendError::HigherVote(vote_from(Some(vote))?)),
    })
}

pub fn vote_request_to(request: &VoteRequest<TypeConfig>) -> proto::VoteRequest {
    proto::VoteRequest {
        vote: Some(vote_to(&request.vote)),
        last: request.last_log_id.as_ref().map(log_id_to),
        pre_vote: false,
        leadership_transfer: request.leadership_transfer,
    }
}

pub fn vote_request_from(request: proto::VoteRequest) -> io::Result<VoteRequest<TypeConfig>> {
    Ok(VoteRequest {
        vote: vote_from(request.vote)?,
        last_log_id: log_id_from(request.last)?,
        leadership_transfer: request.leadership_transfer,
    })
}

pub fn vote_reply_to(reply: &VoteResponse<TypeConfig>) -> proto::VoteReply {
    proto::VoteReply {
        vote: Some(vote_to(&reply.vote)),
        granted: reply.vote_granted,
        last: reply.last_log_id.as_ref().map(log_id_to),
    }
}

pub fn vote_reply_from(reply: proto::VoteReply) -> io::Result<VoteResponse<TypeConfig>> {
    Ok(VoteResponse::new(vote_from(reply.vote)?, log_id_from(reply.last)?, reply.granted))
}

pub fn transfer_to(request: &TransferLeaderRequest<TypeConfig>) -> proto::TransferLeaderRequest {
    proto::TransferLeaderRequest {
        from: Some(vote_to(request.from_leader())),
        to: *request.to_node_id(),
        last: request.last_log_id().map(log_id_to),
    }
}

pub fn transfer_from(request: proto::TransferLeaderRequest) -> io::Result<TransferLeaderRequest<TypeConfig>> {
    Ok(TransferLeaderRequest::new(vote_from(request.from)?, request.to, log_id_from(request.last)?))
}
