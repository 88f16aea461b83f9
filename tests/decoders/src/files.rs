//! Files: the log, snapshots, scenarios.

use std::path::Path;

use squall_apiserver::raft::decoders;
use squall_lab::scenario::Scenario;

use crate::split;

/// Reads a log: the bytes as a segment, and the bytes as the bodies of whole frames, whose checksums are right.
pub fn log(bytes: &[u8]) {
    drop(decoders::log(bytes));
    drop(decoders::log(&decoders::segment(split(bytes))));
}

/// Reads a snapshot: the bytes as a file, and the bytes as the items of whole blocks, whose checksums are right.
pub fn snapshot(bytes: &[u8]) {
    drop(decoders::snapshot(bytes));
    let file = decoders::snapshot_of(split(bytes));
    if let Ok(file) = file {
        drop(decoders::snapshot(&file));
    }
}

/// Reads a scenario.
pub fn scenario(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        drop(Scenario::read(text, "scenario.yaml", Path::new(".")));
    }
}
