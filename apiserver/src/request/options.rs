//! The options of a write.

use squall_api::Error;
use squall_api::decode::FieldValidation;
use squall_daemon::identity::Caller;

use super::Fence;
use crate::store::RequestId;

/// The options of a write.
#[derive(Debug, Clone, Default)]
pub struct WriteOptions {
    /// Identifies a repeated request; the server generates one if it is missing.
    pub request_id: Option<RequestId>,
    /// Election that must still be the latest one.
    pub fence: Option<Fence>,
    /// How to treat unknown fields.
    pub validation: FieldValidation,
    /// Whether to do everything except the write.
    pub dry_run: bool,
    /// Identity that the server writes for.
    pub caller: Caller,
    /// Recorded as the owner of the written fields; empty for no owner.
    pub field_manager: String,
    /// The refusal of a creation, if the caller may change the object but not create it.
    pub no_creation: Option<Error>,
    /// Whether the write still has to record its owner.
    pub ownership: Ownership,
}

/// How a write changes the ownership of fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ownership {
    /// The manager owns the fields that it changes.
    #[default]
    Changed,
    /// The owner is recorded already, or the write changes no fields of a user.
    Noted,
}
