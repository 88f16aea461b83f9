//! Durations in scenarios and reports: `300ms`, `1m30s`.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer, de};
use squall_api::duration;

/// Reads one.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    duration::parse(&text).map_err(de::Error::custom)
}

/// Writes one.
pub fn serialize<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&duration::format(*span))
}
