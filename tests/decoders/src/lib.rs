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
}

/// Every decoder.
pub const ALL: &[Decoder] = &[
    Decoder { name: "json", feed: objects::json },
    Decoder { name: "yaml", feed: objects::yaml },
    Decoder { name: "protobuf", feed: objects::protobuf },
    Decoder { name: "json-patch", feed: patches::json },
    Decoder { name: "merge-patch", feed: patches::merge },
    Decoder { name: "strategic-patch", feed: patches::strategic },
    Decoder { name: "apply", feed: patches::apply },
    Decoder { name: "selectors", feed: texts::selectors },
    Decoder { name: "quantities", feed: texts::quantities },
    Decoder { name: "messages", feed: requests::messages },
    Decoder { name: "urls", feed: requests::urls },
    Decoder { name: "headers", feed: requests::headers },
    Decoder { name: "raft", feed: requests::raft },
    Decoder { name: "log", feed: files::log },
    Decoder { name: "snapshot", feed: files::snapshot },
    Decoder { name: "scenario", feed: files::scenario },
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
