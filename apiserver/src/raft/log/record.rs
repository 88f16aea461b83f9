//! The content of a frame: a sequence of records.

use std::io;
use std::ops::Range;

use bytes::{Buf, Bytes};
use prost::Message;
use prost::encoding::{decode_varint, encode_varint};
use squall_proto::squall::raft::v1 as proto;

use crate::raft::types::{Entry, LogId, Vote};
use crate::raft::wire;

/// A change to the log.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// Appends an entry.
    Append(Entry),
    /// Sets the member's vote.
    Vote(Vote),
    /// Removes the entries after this one; `None` removes all.
    Truncate(Option<LogId>),
    /// Removes the entries up to and including this one.
    Purge(LogId),
}

const APPEND: u8 = 1;
const VOTE: u8 = 2;
const TRUNCATE: u8 = 3;
const PURGE: u8 = 4;

impl Record {
    /// Appends the record's bytes: tag, length, content.
    pub fn write(&self, out: &mut Vec<u8>) -> io::Result<()> {
        let (tag, content) = match self {
            Self::Append(entry) => (APPEND, wire::entry_to(entry)?.encode_to_vec()),
            Self::Vote(vote) => (VOTE, wire::vote_to(vote).encode_to_vec()),
            Self::Truncate(after) => {
                (TRUNCATE, after.as_ref().map(wire::log_id_to).unwrap_or_default().encode_to_vec())
            }
            Self::Purge(upto) => (PURGE, wire::log_id_to(upto).encode_to_vec()),
        };
        out.push(tag);
        encode_varint(content.len() as u64, out);
        out.extend(content);
        Ok(())
    }

    /// Reads the records of a frame's body, each with its byte range.
    pub fn read_all(mut body: Bytes) -> io::Result<Vec<(Self, Range<usize>)>> {
        let whole = body.len();
        let mut records = Vec::new();
        while body.has_remaining() {
            let start = whole.saturating_sub(body.len());
            let tag = body.get_u8();
            let len = decode_varint(&mut body).map_err(invalid)?;
            let len = usize::try_from(len)
                .ok()
                .filter(|len| *len <= body.len())
                .ok_or_else(|| invalid("a record is longer than its frame"))?;
            let record = Self::read(tag, body.split_to(len))?;
            records.push((record, start..whole.saturating_sub(body.len())));
        }
        Ok(records)
    }

    fn read(tag: u8, content: Bytes) -> io::Result<Self> {
        match tag {
            APPEND => wire::entry_from(proto::Entry::decode(content).map_err(invalid)?).map(Self::Append),
            VOTE => wire::vote_from(Some(proto::Vote::decode(content).map_err(invalid)?)).map(Self::Vote),
            TRUNCATE => {
                let id = proto::LogId::decode(content).map_err(invalid)?;
                wire::log_id_from(id.leader.is_some().then_some(id)).map(Self::Truncate)
            }
            PURGE => {
                let id = wire::log_id_from(Some(proto::LogId::decode(content).map_err(invalid)?))?;
                id.map(Self::Purge).ok_or_else(|| invalid("a purge has no log ID"))
            }
            other => Err(invalid(format!("unknown record tag {other}"))),
        }
    }
}

fn invalid(what: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raft::types::{Command, LeaderId, Payload};

    #[test]
    fn records_read_back() {
        let id = LogId { leader_id: LeaderId { term: 3, node_id: 1 }, index: 9 };
        let payload = Payload::Normal(Command(Bytes::from_static(b"command")));
        let records = [
            Record::Append(Entry { log_id: id, payload }),
            Record::Vote(Vote { leader_id: id.leader_id, committed: true }),
            Record::Truncate(Some(id)),
            Record::Truncate(None),
            Record::Purge(id),
        ];
        let mut bytes = Vec::new();
        records.iter().for_each(|record| record.write(&mut bytes).unwrap());
        let bytes = Bytes::from(bytes);
        let read = Record::read_all(bytes.clone()).unwrap();
        assert!(read.iter().map(|(record, _)| record).eq(&records));
        for (record, range) in read {
            assert_eq!(Record::read_all(bytes.slice(range.clone())).unwrap(), [(record, 0..range.len())]);
        }
        assert!(Record::read_all(Bytes::from_static(&[9, 0])).is_err());
        assert!(Record::read_all(Bytes::from_static(&[APPEND, 5])).is_err());
    }
}
