//! Requests of clients and of other members.

use squall_apiserver::{raft, rest};

/// Reads a URL: its path, its parameters, its page.
pub fn urls(bytes: &[u8]) {
    drop(rest::decoders::url(bytes));
}

/// Reads headers: accepted types, user agent, impersonation.
pub fn headers(bytes: &[u8]) {
    drop(rest::decoders::headers(bytes));
}

/// Reads messages of other members, and applies those that pass the checks.
pub fn raft(bytes: &[u8]) {
    drop(raft::decoders::append(bytes));
    drop(raft::decoders::proposal(bytes));
    drop(raft::decoders::message(bytes));
}
