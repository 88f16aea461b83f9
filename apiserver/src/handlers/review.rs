//! Access reviews: what a caller may do.

use crate::authorization::{Action, permitting};

use super::Handlers;

/// The result of an access review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// Whether the action is permitted.
    pub allowed: bool,
    /// Names the role that permits it; empty if none does.
    pub reason: String,
}

impl Handlers {
    /// Checks whether the caller may perform an action. The target does not have to exist.
    #[must_use]
    pub fn review(&self, action: &Action<'_>) -> Review {
        match permitting(&self.caller, action) {
            Some(role) => Review { allowed: true, reason: format!("allowed by the role {:?}", role.name) },
            None => Review { allowed: false, reason: String::new() },
        }
    }
}
