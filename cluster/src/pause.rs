//! Pauses between polls.

use std::time::Duration;

/// Pauses between polls for a condition without an event: the end of a process that is not a child, another's lock.
pub fn wait_a_moment() {
    #[expect(clippy::disallowed_methods, reason = "there is nothing to wait for but time")]
    std::thread::sleep(Duration::from_millis(5));
}
