//! The owner of the fields that a write changes.

use jiff::Timestamp;
use squall_api::metav1::v1::Time;
use squall_api::{Object, apply};

use crate::request::{Ownership, ResourceRef, WriteOptions};

/// Records the owner of the written fields, unless that has been done.
pub(super) fn note_owner(
    old: Option<&Object>,
    new: &mut Object,
    resource: &ResourceRef,
    options: &WriteOptions,
    now: Timestamp,
) {
    match options.ownership {
        Ownership::Noted => {}
        Ownership::Changed => {
            let (name, subresource) = (options.field_manager.as_str(), resource.subresource.as_str());
            let manager = apply::Manager { name, subresource, now: Time::from_timestamp(now) };
            apply::updated(old, new, &manager);
        }
    }
}
