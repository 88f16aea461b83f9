//! Access reviews: what a caller may do.

use squall_api::rbac::v1::PolicyRule;
use squall_daemon::identity::Caller;

use super::Handlers;
use crate::authorization::{Action, own_rules};

/// The result of an access review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// Whether the action is permitted.
    pub allowed: bool,
    /// Names the role that permits it; empty if none does.
    pub reason: String,
}

impl Handlers {
    /// Checks whether a caller may perform an action. The target does not have to exist.
    #[must_use]
    pub fn review(&self, caller: &Caller, action: &Action<'_>) -> Review {
        let reason = self.registry.permitting(caller, action);
        Review { allowed: reason.is_some(), reason: reason.unwrap_or_default() }
    }

    /// Returns everything that the caller may do in a namespace: by the fixed roles, and by the stored ones.
    #[must_use]
    pub fn rules(&self, namespace: &str) -> Vec<PolicyRule> {
        let mut rules = own_rules(&self.caller);
        rules.extend(self.registry.grants().rules_for(&self.caller, namespace));
        rules
    }
}
