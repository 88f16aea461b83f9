//! The encoding of payloads, commands and memberships: the same on disk and between members.

use std::io;

use bytes::{BufMut, Bytes, BytesMut};
use prost::Message;
use squall_proto::squall::raft::v1 as proto;

use super::types::{Command, Payload};
use crate::store::{Compare, RequestId, Target, Transaction, Write};

const BLANK: u8 = 0;
const COMMAND: u8 = 1;
const MEMBERSHIP: u8 = 2;

fn invalid(what: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_string())
}

/// Encodes a payload: one tag byte, then the content.
pub fn encode_payload(payload: &Payload) -> io::Result<Bytes> {
    let (tag, content) = match payload {
        Payload::Blank => (BLANK, Bytes::new()),
        Payload::Normal(command) => (COMMAND, command.0.clone()),
        Payload::Membership(membership) => (MEMBERSHIP, serde_json::to_vec(membership).map_err(invalid)?.into()),
    };
    let mut bytes = BytesMut::with_capacity(content.len().saturating_add(1));
    bytes.put_u8(tag);
    bytes.put(content);
    Ok(bytes.freeze())
}

/// Decodes a payload. A command shares the memory of `bytes`.
pub fn decode_payload(bytes: &Bytes) -> io::Result<Payload> {
    match bytes.first() {
        Some(&BLANK) => Ok(Payload::Blank),
        Some(&COMMAND) => Ok(Payload::Normal(Command(bytes.slice(1..)))),
        Some(&MEMBERSHIP) => serde_json::from_slice(&bytes[1..]).map(Payload::Membership).map_err(invalid),
        other => Err(invalid(format!("unknown log entry tag {other:?}"))),
    }
}

/// Encodes transactions as a command.
pub fn encode_command(transactions: Vec<Transaction>) -> Command {
    let transactions = transactions.into_iter().map(to_proto).collect();
    Command(proto::ProposeRequest { transactions }.encode_to_vec().into())
}

/// Decodes the transactions of a command. Values are copied, so that they do not keep the whole entry in memory.
pub fn decode_command(command: &Command) -> io::Result<Vec<Transaction>> {
    let request = proto::ProposeRequest::decode(command.0.clone()).map_err(invalid)?;
    request.transactions.into_iter().map(from_proto).collect()
}

/// Converts a transaction to its wire format.
pub fn to_proto(transaction: Transaction) -> proto::Transaction {
    let compares = transaction.compares.into_iter().map(|compare| {
        let target = match compare.target {
            Target::ModRevision(revision) => proto::compare::Target::ModRevision(revision),
            Target::Value(value) => proto::compare::Target::Value(value),
        };
        proto::Compare { key: compare.key, target: Some(target) }
    });
    let writes = transaction.writes.into_iter().map(|write| proto::Write { key: write.key, value: write.value });
    proto::Transaction {
        request_id: Bytes::copy_from_slice(&transaction.request_id),
        compares: compares.collect(),
        writes: writes.collect(),
    }
}

/// Converts a transaction from its wire format.
pub fn from_proto(transaction: proto::Transaction) -> io::Result<Transaction> {
    let request_id = RequestId::try_from(transaction.request_id.as_ref())
        .map_err(|_| invalid("a transaction's request ID is not 16 bytes long"))?;
    let compares = transaction.compares.into_iter().map(|compare| match compare.target {
        Some(proto::compare::Target::ModRevision(revision)) => {
            Ok(Compare { key: compare.key, target: Target::ModRevision(revision) })
        }
        Some(proto::compare::Target::Value(value)) => Ok(Compare { key: compare.key, target: Target::Value(value) }),
        None => Err(invalid("a comparison has no target")),
    });
    let writes = transaction
        .writes
        .into_iter()
        .map(|write| Write { key: write.key, value: write.value.map(|value| Bytes::copy_from_slice(&value)) });
    Ok(Transaction { request_id, compares: compares.collect::<Result<_, _>>()?, writes: writes.collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_read_back() {
        let transaction = Transaction {
            request_id: [7; 16],
            compares: vec![
                Compare { key: "a".to_owned(), target: Target::ModRevision(0) },
                Compare { key: "b".to_owned(), target: Target::Value(Bytes::from_static(b"v")) },
            ],
            writes: vec![
                Write { key: "a".to_owned(), value: Some(Bytes::from_static(b"1")) },
                Write { key: "b".to_owned(), value: None },
            ],
        };
        let command = encode_command(vec![transaction.clone()]);
        assert_eq!(decode_command(&command).unwrap(), [transaction]);
        let membership = openraft::Membership::new_with_defaults(vec![[1].into()], [1]);
        for payload in [Payload::Blank, Payload::Normal(command), Payload::Membership(membership)] {
            assert_eq!(decode_payload(&encode_payload(&payload).unwrap()).unwrap(), payload);
        }
    }

    #[test]
    fn damaged_payloads_are_errors() {
        for bytes in [&[][..], &[9], &[MEMBERSHIP, b'x']] {
            assert!(decode_payload(&Bytes::copy_from_slice(bytes)).is_err());
        }
        assert!(decode_command(&Command(Bytes::from_static(&[0xff]))).is_err());
    }
}
