//! The decoders of messages, logs and snapshots as functions of bytes: tests feed them hostile input. The members call the
//! same code in [`super::service`], [`super::log`] and [`super::snapshot`].

use std::io;
use std::path::PathBuf;

use bytes::Bytes;
use prost::Message;
use squall_proto::squall::raft::v1 as proto;

use super::log::{Found, frame_into, read_segments, segment_header};
use super::snapshot::{self, BlockWriter};
use super::{check, codec, wire};
use crate::store::{Requests, State};

/// The member that the log belongs to.
const MEMBER: u64 = 1;

fn refused(problem: impl ToString) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem.to_string())
}

/// Reads an append. A command that passes the checks can be applied.
pub fn append(bytes: &[u8]) -> io::Result<()> {
    let request = wire::append_from(proto::AppendRequest::decode(bytes)?)?;
    check::append(&request).map_err(refused)?;
    let (mut state, mut requests, mut changes) = (State::default(), Requests::default(), Vec::new());
    for entry in request.entries {
        if let super::types::Payload::Normal(command) = entry.payload {
            let transactions = codec::decode_command(&command);
            assert!(transactions.is_ok(), "a command that passed the checks cannot be applied: {transactions:?}");
            for transaction in transactions.into_iter().flatten() {
                state.apply(transaction, &mut requests, &mut changes);
            }
        }
    }
    Ok(())
}

/// Reads a proposal that another member passes on.
pub fn proposal(bytes: &[u8]) -> io::Result<()> {
    for transaction in proto::ProposeRequest::decode(bytes)?.transactions {
        let transaction = codec::from_proto(transaction)?;
        check::transaction(&transaction).map_err(refused)?;
        State::default().apply(transaction, &mut Requests::default(), &mut Vec::new());
    }
    Ok(())
}

/// Reads the other requests and the replies.
pub fn message(bytes: &[u8]) -> io::Result<()> {
    if let Ok(request) = proto::VoteRequest::decode(bytes) {
        drop(wire::vote_request_from(request).and_then(|request| check::vote_request(&request).map_err(refused)));
    }
    if let Ok(request) = proto::TransferLeaderRequest::decode(bytes) {
        drop(wire::transfer_from(request).and_then(|request| check::transfer(&request).map_err(refused)));
    }
    if let Ok(reply) = proto::AppendReply::decode(bytes) {
        drop(wire::append_reply_from(reply));
    }
    wire::vote_reply_from(proto::VoteReply::decode(bytes)?).map(drop)
}

/// Reads a log of one segment and returns the number of its entries, which follow one another.
pub fn log(segment: &[u8]) -> io::Result<u64> {
    let segment = Ok((PathBuf::from("0.log"), Bytes::copy_from_slice(segment)));
    let (recovered, _) = read_segments([segment].into_iter(), MEMBER, usize::MAX)?;
    let first = recovered.window.first_index();
    let mut next = first;
    for found in recovered.window.find(0..u64::MAX, usize::MAX) {
        assert!(
            matches!(&found, Found::Here(entry) if entry.log_id.index == next),
            "{found:?} is in the place of {next}"
        );
        next = next.saturating_add(1);
    }
    Ok(next.saturating_sub(first))
}

/// Returns a segment of whole frames with these bodies.
#[must_use]
pub fn segment<'a>(bodies: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut bytes = segment_header(MEMBER).to_vec();
    for (number, body) in (0..).zip(bodies) {
        frame_into(number, body, &mut bytes);
    }
    bytes
}

/// Reads a snapshot and returns the number of its objects.
pub fn snapshot(bytes: &[u8]) -> io::Result<usize> {
    let contents = snapshot::read_from(bytes)?;
    contents.check()?;
    Ok(contents.state.len())
}

/// Returns a snapshot file with these items.
pub fn snapshot_of<'a>(items: impl IntoIterator<Item = &'a [u8]>) -> io::Result<Vec<u8>> {
    let mut writer = BlockWriter::new(Vec::new())?;
    items.into_iter().try_for_each(|item| writer.item(item))?;
    writer.finish()
}
