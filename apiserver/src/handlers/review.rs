//! What a caller may do, when the caller asks.

use crate::authorization::{Action, permitting};

use super::Handlers;

/// The answer to "may I?".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// Whether the caller may.
    pub allowed: bool,
    /// Why.
    pub reason: String,
}

impl Handlers {
    /// Whether the caller may do something, whether or not there is such a thing.
    #[must_use]
    pub fn review(&self, action: &Action<'_>) -> Review {
        match permitting(&self.caller, action) {
            Some(role) => Review { allowed: true, reason: format!("allowed by the role {:?}", role.name) },
            None => Review { allowed: false, reason: String::new() },
        }
    }
}
