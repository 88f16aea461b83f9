//! Formats times as RFC 3339 text, for the JSON of `Time` and `MicroTime`.

use jiff::Timestamp;

/// Formats a time to the second: `2026-11-23T21:30:07Z`.
#[must_use]
pub fn format_rfc3339_seconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Formats a time to the microsecond: `2026-11-23T21:30:07.123456Z`.
#[must_use]
pub fn format_rfc3339_micros(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}
