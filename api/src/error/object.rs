//! Errors about an object.

use squall_proto::meta::v1::{StatusCause, StatusDetails};

use super::{Error, Reason};
use crate::field::{Errors, FieldError};
use crate::kinds::Kind;

impl Error {
    /// `deployments.apps "kubia" not found`.
    #[must_use]
    pub fn not_found(kind: Kind, name: &str) -> Self {
        let message = format!("{} {name:?} not found", kind.info().plural_group());
        Self::new(Reason::NotFound, message, Some(resource_details(kind, name)))
    }

    /// `deployments.apps "kubia" already exists`.
    #[must_use]
    pub fn already_exists(kind: Kind, name: &str) -> Self {
        let message = format!("{} {name:?} already exists", kind.info().plural_group());
        Self::new(Reason::AlreadyExists, message, Some(resource_details(kind, name)))
    }

    /// `Operation cannot be fulfilled on deployments.apps "kubia": ...`.
    #[must_use]
    pub fn conflict(kind: Kind, name: &str, detail: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {} {name:?}: {detail}", kind.info().plural_group());
        Self::new(Reason::Conflict, message, Some(resource_details(kind, name)))
    }

    /// The definition of the kind is being deleted, so no new objects are taken.
    #[must_use]
    pub fn terminating_definition(kind: Kind) -> Self {
        let message = "create not allowed while custom resource definition is terminating";
        let details = resource_details(kind, "");
        Self::new(Reason::MethodNotAllowed, message.to_owned(), Some(details))
    }

    /// The object has changed since the caller read it.
    #[must_use]
    pub fn modified(kind: Kind, name: &str) -> Self {
        Self::conflict(
            kind,
            name,
            "the object has been modified; please apply your changes to the latest version and try again",
        )
    }

    /// `Deployment.apps "kubia" is invalid: spec.selector: Required value`.
    #[must_use]
    pub fn invalid(kind: Kind, name: &str, errors: &Errors) -> Self {
        Self::invalid_of(kind.info().group, kind.info().kind, name, errors)
    }

    pub(super) fn invalid_of(group: &str, kind: &str, name: &str, errors: &Errors) -> Self {
        let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
        let text = match texts.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let qualified = if group.is_empty() { kind.to_owned() } else { format!("{kind}.{group}") };
        let details = StatusDetails {
            name: name.to_owned(),
            group: group.to_owned(),
            kind: kind.to_owned(),
            causes: errors.iter().map(FieldError::cause).collect(),
            ..StatusDetails::default()
        };
        Self::new(Reason::Invalid, format!("{qualified} {name:?} is invalid: {text}"), Some(details))
    }

    /// A part of an object that the kind does not have, such as `pods/exec`.
    #[must_use]
    pub fn no_such_part(kind: Kind, name: &str, part: &str) -> Self {
        let plural = kind.info().plural_group();
        let why = match part {
            "exec" | "attach" | "portforward" => {
                ": containers are simulated here, and no terminal or port leads into them"
            }
            "token" => ": there are no tokens here, users are known by their certificates",
            "ephemeralcontainers" | "resize" => ": simulated containers cannot be changed while they run",
            _ => "",
        };
        let message =
            format!("the server could not find the requested resource: {plural} {name:?} has no {part:?}{why}");
        Self::new(Reason::NotFound, message, Some(StatusDetails::default()))
    }

    /// `pods "x" is forbidden: ...`.
    #[must_use]
    pub fn forbidden(kind: Kind, name: &str, detail: &str) -> Self {
        let message = format!("{} {name:?} is forbidden: {detail}", kind.info().plural_group());
        Self::new(Reason::Forbidden, message, Some(resource_details(kind, name)))
    }

    /// An object cannot be created in a namespace that is being deleted.
    #[must_use]
    pub fn namespace_terminating(kind: Kind, name: &str, namespace: &str) -> Self {
        let detail = format!("unable to create new content in namespace {namespace} because it is being terminated");
        let mut error = Self::forbidden(kind, name, &detail);
        if let Some(details) = &mut error.status.details {
            details.causes.push(StatusCause {
                reason: "NamespaceTerminating".to_owned(),
                message: format!("namespace {namespace} is being terminated"),
                field: "metadata.namespace".to_owned(),
            });
        }
        error
    }

    /// An eviction that the pod's disruption budget does not allow.
    #[must_use]
    pub fn disruption_refused(cause: String) -> Self {
        let message = "Cannot evict pod as it would violate the pod's disruption budget.".to_owned();
        let cause = StatusCause { reason: "DisruptionBudget".to_owned(), message: cause, field: String::new() };
        let details = StatusDetails { causes: vec![cause], ..StatusDetails::default() };
        Self::new(Reason::TooManyRequests, message, Some(details))
    }
}

fn resource_details(kind: Kind, name: &str) -> StatusDetails {
    let info = kind.info();
    StatusDetails {
        name: name.to_owned(),
        group: info.group.to_owned(),
        kind: info.plural.to_owned(),
        ..StatusDetails::default()
    }
}
