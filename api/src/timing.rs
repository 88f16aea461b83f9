//! Converts seconds in objects to real time: in a cluster with `fast` timing, they last a tenth of a second.

use std::time::Duration;

use squall_proto::core::v1::Node;

/// The node annotation with the divisor of seconds in objects (probe periods, minReadySeconds).
pub const DIVISOR: &str = "squall.dev/seconds-divided-by";

/// Converts seconds in an object to real time, for a cluster with this node. Nodes without the annotation use real
/// seconds.
#[must_use]
pub fn lasts(seconds: i64, node: Option<&Node>) -> Duration {
    let divisor = node.and_then(|node| node.metadata.annotations.get(DIVISOR)).and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.try_into().unwrap_or(0)) / divisor.filter(|divisor| *divisor > 0).unwrap_or(1)
}
