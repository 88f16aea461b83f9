//! How long a second of an object lasts: in a cluster with `fast` timing, a tenth of one.

use std::time::Duration;

use squall_proto::core::v1::Node;

/// The annotation of a node that says by what seconds in objects (probe periods, minReadySeconds) are divided.
pub const DIVISOR: &str = "squall.dev/seconds-divided-by";

/// How long so many seconds of an object last on a cluster with this node; nodes of others keep real time.
#[must_use]
pub fn lasts(seconds: i64, node: Option<&Node>) -> Duration {
    let divisor = node.and_then(|node| node.metadata.annotations.get(DIVISOR)).and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.try_into().unwrap_or(0)) / divisor.filter(|divisor| *divisor > 0).unwrap_or(1)
}
