//! The decoders that face outside. Each is a function of bytes that may panic only where an assertion of its own does not
//! hold. `cargo fuzz` feeds them through `fuzz/`, and `main.rs` for a minute each in `./check`.

mod files;
mod objects;
mod patches;
mod requests;
mod texts;

pub use patches::stored;

/// A function of bytes from outside.
#[derive(Clone, Copy)]
pub struct Decoder {
    /// Its name, and that of the folder with its corpus.
    pub name: &'static str,
    /// Feeds it. Panics if the bytes break something.
    pub feed: fn(&[u8]),
    /// Number of executions that take about a minute in a debug build. A time would end elsewhere on each machine.
    pub minute: u64,
}

/// Every decoder.
pub const ALL: &[Decoder] = &[
    Decoder { name: "json", feed: objects::json, minute: 900_000 },
    Decoder { name: "yaml", feed: objects::yaml, minute: 55_000 },
    Decoder { name: "protobuf", feed: objects::protobuf, minute: 3_000_000 },
    Decoder { name: "json-patch", feed: patches::json, minute: 3_000_000 },
    Decoder { name: "merge-patch", feed: patches::merge, minute: 900_000 },
    Decoder { name: "strategic-patch", feed: patches::strategic, minute: 1_100_000 },
    Decoder { name: "apply", feed: patches::apply, minute: 270_000 },
    Decoder { name: "selectors", feed: texts::selectors, minute: 550_000 },
    Decoder { name: "quantities", feed: texts::quantities, minute: 5_000_000 },
    Decoder { name: "messages", feed: requests::messages, minute: 140_000 },
    Decoder { name: "urls", feed: requests::urls, minute: 2_900_000 },
    Decoder { name: "headers", feed: requests::headers, minute: 3_500_000 },
    Decoder { name: "raft", feed: requests::raft, minute: 4_300_000 },
    Decoder { name: "log", feed: files::log, minute: 1_900_000 },
    Decoder { name: "snapshot", feed: files::snapshot, minute: 1_500_000 },
    Decoder { name: "scenario", feed: files::scenario, minute: 250_000 },
];

/// Feeds the decoder of this name. Panics if there is none.
pub fn feed(name: &str, bytes: &[u8]) {
    let decoder = ALL.iter().find(|decoder| decoder.name == name);
    assert!(decoder.is_some(), "there is no decoder {name:?}");
    if let Some(decoder) = decoder {
        (decoder.feed)(bytes);
    }
}

/// Splits bytes at each line that consists of three dashes.
fn split(bytes: &[u8]) -> Vec<&[u8]> {
    const SEPARATOR: &[u8] = b"\n---\n";
    let (mut parts, mut rest) = (Vec::new(), bytes);
    while let Some(at) = rest.windows(SEPARATOR.len()).position(|window| window == SEPARATOR) {
        parts.push(&rest[..at]);
        rest = &rest[at + SEPARATOR.len()..];
    }
    parts.push(rest);
    parts
}
