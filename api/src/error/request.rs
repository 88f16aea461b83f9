//! Errors about a request.

use std::fmt::Display;

use squall_proto::meta::v1::{StatusCause, StatusDetails};

use super::{Error, Reason};
use crate::field::Errors;

impl Error {
    /// The request is malformed.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(Reason::BadRequest, message.into(), None)
    }

    /// The caller lacks a permission: `pods "x" is forbidden: User "eve" cannot ...`. `resource` is empty for a path
    /// that is not an object's.
    #[must_use]
    pub fn refused(group: &str, resource: &str, name: &str, detail: &str) -> Self {
        let qualified = if group.is_empty() { resource.to_owned() } else { format!("{resource}.{group}") };
        let message = match (resource, name) {
            ("", _) => format!("forbidden: {detail}"),
            (_, "") => format!("{qualified} is forbidden: {detail}"),
            (_, name) => format!("{qualified} {name:?} is forbidden: {detail}"),
        };
        let details = StatusDetails {
            name: name.to_owned(),
            group: group.to_owned(),
            kind: resource.to_owned(),
            ..StatusDetails::default()
        };
        Self::new(Reason::Forbidden, message, Some(details))
    }

    /// An unauthenticated request.
    #[must_use]
    pub fn unauthorized() -> Self {
        Self::new(Reason::Unauthorized, "Unauthorized".to_owned(), None)
    }

    /// An unknown path.
    #[must_use]
    pub fn no_such_path() -> Self {
        let message = "the server could not find the requested resource".to_owned();
        Self::new(Reason::NotFound, message, Some(StatusDetails::default()))
    }

    /// A method that the path does not support.
    #[must_use]
    pub fn no_such_method() -> Self {
        let message = "the server does not allow this method on the requested resource".to_owned();
        Self::new(Reason::MethodNotAllowed, message, Some(StatusDetails::default()))
    }

    /// None of the content types that the client accepts is available.
    #[must_use]
    pub fn not_acceptable(supported: &[&str]) -> Self {
        let message = format!("only the following media types are accepted: {}", supported.join(", "));
        Self::new(Reason::NotAcceptable, message, None)
    }

    /// A request that is larger than the server accepts.
    #[must_use]
    pub fn too_large(limit: usize) -> Self {
        Self::new(Reason::RequestEntityTooLarge, format!("Request entity too large: limit is {limit}"), None)
    }

    /// A URL that is longer than the server accepts.
    #[must_use]
    pub fn url_too_long(limit: usize) -> Self {
        Self::with_code(414, format!("the URL is too long: limit is {limit} bytes"))
    }

    /// Headers that are longer or more than the server accepts.
    #[must_use]
    pub fn headers_too_large(bytes: usize, count: usize) -> Self {
        Self::with_code(431, format!("the request headers are too large: limit is {bytes} bytes in {count} headers"))
    }

    /// An error that Kubernetes has no reason for.
    fn with_code(code: i32, message: String) -> Self {
        let mut error = Self::new(Reason::BadRequest, message, None);
        error.status.reason.clear();
        error.status.code = code;
        error
    }

    /// `update is not supported on resources of kind "pods/binding"`.
    #[must_use]
    pub fn method_not_allowed(verb: &str, resource: &str) -> Self {
        Self::new(Reason::MethodNotAllowed, format!("{verb} is not supported on resources of kind {resource:?}"), None)
    }

    /// A body in an unsupported content type.
    #[must_use]
    pub fn unsupported_media_type() -> Self {
        let message = "the body of the request was in an unknown format - accepted media types include: application/json, \
                       application/yaml, application/vnd.kubernetes.protobuf";
        Self::new(Reason::UnsupportedMediaType, message.to_owned(), Some(StatusDetails::default()))
    }

    /// An unsupported type of patch.
    #[must_use]
    pub fn unsupported_patch_type() -> Self {
        let message = "415: Unsupported Media Type".to_owned();
        Self::new(Reason::UnsupportedMediaType, message, Some(StatusDetails::default()))
    }

    /// A patch that cannot be applied to the object.
    #[must_use]
    pub fn inapplicable_patch() -> Self {
        let message = "the server rejected our request due to an error in our request".to_owned();
        Self::new(Reason::Invalid, message, Some(StatusDetails::default()))
    }

    /// An invalid request that is not about a stored object: `ListOptions.meta.k8s.io "" is invalid: ...`.
    #[must_use]
    pub fn invalid_request(group: &str, kind: &str, errors: &Errors) -> Self {
        Self::invalid_of(group, kind, "", errors)
    }

    /// A watch from a revision that is no longer available.
    #[must_use]
    pub fn expired(requested: u64, oldest: u64) -> Self {
        Self::new(Reason::Expired, format!("too old resource version: {requested} ({oldest})"), None)
    }

    /// A list at a revision that is no longer available.
    #[must_use]
    pub fn expired_list() -> Self {
        let message = "The resourceVersion for the provided list is too old.".to_owned();
        Self::new(Reason::Expired, message, None)
    }

    /// A list that cannot be continued at its revision. With this token, it can continue with the current objects.
    #[must_use]
    pub fn expired_continue(token: &str) -> Self {
        let message = "The provided continue parameter is too old to display a consistent list result. You can start a new list \
                       without the continue parameter, or use the continue token in this response to retrieve the remainder of \
                       the results. Continuing with the provided token results in an inconsistent list - objects that were \
                       created, modified, or deleted between the time the first chunk was returned and now may show up in the \
                       list.";
        let mut error = Self::new(Reason::Expired, message.to_owned(), None);
        token.clone_into(&mut error.status.metadata.r#continue);
        error
    }

    /// A revision that the store has not reached in time.
    #[must_use]
    pub fn too_large_resource_version(requested: u64, current: u64) -> Self {
        let message = format!("Timeout: Too large resource version: {requested}, current: {current}");
        let details = StatusDetails {
            causes: vec![StatusCause {
                reason: "ResourceVersionTooLarge".to_owned(),
                message: "Too large resource version".to_owned(),
                field: String::new(),
            }],
            retry_after_seconds: 1,
            ..StatusDetails::default()
        };
        Self::new(Reason::Timeout, message, Some(details))
    }

    /// The deadline has passed.
    pub fn timeout(message: impl Into<String>) -> Self {
        Self::new(Reason::Timeout, message.into(), None)
    }

    /// No quorum, no leader, or no connection.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(Reason::ServiceUnavailable, message.into(), None)
    }

    /// More requests than the server handles at once.
    pub fn too_many_requests(message: impl Into<String>) -> Self {
        let details = StatusDetails { retry_after_seconds: 1, ..StatusDetails::default() };
        Self::new(Reason::TooManyRequests, message.into(), Some(details))
    }

    /// An error that Kubernetes reports without a reason: `Error from server: failed to create typed patch object ...`.
    #[must_use]
    pub fn unexplained(message: String) -> Self {
        let mut error = Self::new(Reason::InternalError, message, None);
        error.status.reason.clear();
        error
    }

    /// A bug, or unreadable data.
    #[must_use]
    pub fn internal(message: impl Display) -> Self {
        Self::new(Reason::InternalError, format!("Internal error occurred: {message}"), None)
    }
}
