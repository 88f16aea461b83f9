//! The errors of the API: Kubernetes' `Status` with its reason, code and message, and the conversion to gRPC and back.

use std::fmt::{self, Display};

use prost::Message;
use tonic::Code;

use squall_proto::meta::v1::{Status, StatusCause, StatusDetails};

use crate::apply::Conflict;
use crate::field::Errors;
use crate::kinds::Kind;

/// Why an API call failed, as Kubernetes reports it.
#[derive(Debug, Clone, PartialEq)]
pub struct Error {
    /// The answer to the client: message, reason, details, code.
    pub status: Box<Status>,
}

/// Kubernetes' reasons that our server uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The object does not exist.
    NotFound,
    /// The name is taken.
    AlreadyExists,
    /// The object has changed since it was read.
    Conflict,
    /// The object is invalid.
    Invalid,
    /// The request is malformed.
    BadRequest,
    /// The caller is not authenticated.
    Unauthorized,
    /// The request is well-formed but not allowed.
    Forbidden,
    /// The resource does not support the method.
    MethodNotAllowed,
    /// The content type is not supported.
    UnsupportedMediaType,
    /// None of the accepted content types is available.
    NotAcceptable,
    /// The request is larger than the server accepts.
    RequestEntityTooLarge,
    /// The revision is no longer available.
    Expired,
    /// The request timed out; a write may have happened.
    Timeout,
    /// There is no quorum at the moment; the write did not happen, or can be retried with its request id.
    ServiceUnavailable,
    /// Too many requests at once.
    TooManyRequests,
    /// A bug, or unreadable data.
    InternalError,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 16] = [
        Self::NotFound,
        Self::AlreadyExists,
        Self::Conflict,
        Self::Invalid,
        Self::BadRequest,
        Self::Unauthorized,
        Self::Forbidden,
        Self::MethodNotAllowed,
        Self::UnsupportedMediaType,
        Self::NotAcceptable,
        Self::RequestEntityTooLarge,
        Self::Expired,
        Self::Timeout,
        Self::ServiceUnavailable,
        Self::TooManyRequests,
        Self::InternalError,
    ];

    /// Returns the value of `status.reason`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "NotFound",
            Self::AlreadyExists => "AlreadyExists",
            Self::Conflict => "Conflict",
            Self::Invalid => "Invalid",
            Self::BadRequest => "BadRequest",
            Self::Unauthorized => "Unauthorized",
            Self::Forbidden => "Forbidden",
            Self::MethodNotAllowed => "MethodNotAllowed",
            Self::UnsupportedMediaType => "UnsupportedMediaType",
            Self::NotAcceptable => "NotAcceptable",
            Self::RequestEntityTooLarge => "RequestEntityTooLarge",
            Self::Expired => "Expired",
            Self::Timeout => "Timeout",
            Self::ServiceUnavailable => "ServiceUnavailable",
            Self::TooManyRequests => "TooManyRequests",
            Self::InternalError => "InternalError",
        }
    }

    /// Returns the HTTP status code.
    #[must_use]
    pub const fn http(self) -> i32 {
        match self {
            Self::BadRequest => 400,
            Self::Unauthorized => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::NotAcceptable => 406,
            Self::AlreadyExists | Self::Conflict => 409,
            Self::Expired => 410,
            Self::RequestEntityTooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::Invalid => 422,
            Self::TooManyRequests => 429,
            Self::InternalError => 500,
            Self::ServiceUnavailable => 503,
            Self::Timeout => 504,
        }
    }

    /// Returns the gRPC code.
    #[must_use]
    pub const fn grpc(self) -> Code {
        match self {
            Self::NotFound => Code::NotFound,
            Self::AlreadyExists => Code::AlreadyExists,
            Self::Conflict => Code::Aborted,
            Self::Invalid | Self::BadRequest | Self::UnsupportedMediaType | Self::NotAcceptable => {
                Code::InvalidArgument
            }
            Self::Unauthorized => Code::Unauthenticated,
            Self::Forbidden => Code::PermissionDenied,
            Self::MethodNotAllowed => Code::Unimplemented,
            Self::Expired => Code::OutOfRange,
            Self::Timeout => Code::DeadlineExceeded,
            Self::ServiceUnavailable => Code::Unavailable,
            Self::TooManyRequests | Self::RequestEntityTooLarge => Code::ResourceExhausted,
            Self::InternalError => Code::Internal,
        }
    }
}

impl Error {
    fn new(reason: Reason, message: String, details: Option<StatusDetails>) -> Self {
        let status = Status {
            status: "Failure".to_owned(),
            message,
            reason: reason.as_str().to_owned(),
            details,
            code: reason.http(),
            ..Status::default()
        };
        Self { status: Box::new(status) }
    }

    /// Returns the reason, if it is one of [`Reason`].
    #[must_use]
    pub fn reason(&self) -> Option<Reason> {
        Reason::ALL.into_iter().find(|reason| reason.as_str() == self.status.reason)
    }

    /// Whether the error has this reason.
    #[must_use]
    pub fn is(&self, reason: Reason) -> bool {
        self.reason() == Some(reason)
    }

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

    fn invalid_of(group: &str, kind: &str, name: &str, errors: &Errors) -> Self {
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
            causes: errors.iter().map(crate::field::FieldError::cause).collect(),
            ..StatusDetails::default()
        };
        Self::new(Reason::Invalid, format!("{qualified} {name:?} is invalid: {text}"), Some(details))
    }

    /// Applying would change fields that other managers own.
    #[must_use]
    pub fn apply_conflict(conflicts: &[Conflict]) -> Self {
        let causes = conflicts.iter().map(|conflict| StatusCause {
            reason: "FieldManagerConflict".to_owned(),
            message: format!("conflict with {}", conflict.manager),
            field: conflict.path.clone(),
        });
        let details = StatusDetails { causes: causes.collect(), ..StatusDetails::default() };
        let message = match conflicts {
            [one] => format!("Apply failed with 1 conflict: conflict with {}: {}", one.manager, one.path),
            many => {
                let mut managers: Vec<&str> = many.iter().map(|conflict| conflict.manager.as_str()).collect();
                managers.sort_unstable();
                managers.dedup();
                let mut lines = Vec::new();
                for manager in managers {
                    lines.push(format!("conflicts with {manager}:"));
                    lines.extend(many.iter().filter(|c| c.manager == manager).map(|c| format!("- {}", c.path)));
                }
                format!("Apply failed with {} conflicts: {}", many.len(), lines.join("\n"))
            }
        };
        Self::new(Reason::Conflict, message, Some(details))
    }

    /// The request is malformed.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(Reason::BadRequest, message.into(), None)
    }

    /// `pods "x" is forbidden: ...`.
    #[must_use]
    pub fn forbidden(kind: Kind, name: &str, detail: &str) -> Self {
        let message = format!("{} {name:?} is forbidden: {detail}", kind.info().plural_group());
        Self::new(Reason::Forbidden, message, Some(resource_details(kind, name)))
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

    /// An eviction that the pod's disruption budget does not allow.
    #[must_use]
    pub fn disruption_refused(cause: String) -> Self {
        let message = "Cannot evict pod as it would violate the pod's disruption budget.".to_owned();
        let cause = StatusCause { reason: "DisruptionBudget".to_owned(), message: cause, field: String::new() };
        let details = StatusDetails { causes: vec![cause], ..StatusDetails::default() };
        Self::new(Reason::TooManyRequests, message, Some(details))
    }

    /// A bug, or unreadable data.
    pub fn internal(message: impl Display) -> Self {
        Self::new(Reason::InternalError, format!("Internal error occurred: {message}"), None)
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

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.status.message)
    }
}

impl std::error::Error for Error {}

impl From<Error> for tonic::Status {
    fn from(error: Error) -> Self {
        let code = error.reason().map_or(Code::Unknown, Reason::grpc);
        Self::with_details(code, error.status.message.clone(), error.status.encode_to_vec().into())
    }
}

impl From<tonic::Status> for Error {
    /// Decodes our details; a status without them comes from the transport.
    fn from(status: tonic::Status) -> Self {
        if let Ok(details) = Status::decode(status.details())
            && !details.reason.is_empty()
        {
            return Self { status: Box::new(details) };
        }
        match status.code() {
            Code::DeadlineExceeded | Code::Cancelled => Self::timeout(status.message()),
            Code::Unavailable | Code::Unknown => Self::unavailable(status.message()),
            Code::ResourceExhausted => Self::too_many_requests(status.message()),
            Code::InvalidArgument => Self::bad_request(status.message()),
            Code::Unimplemented => Self::new(Reason::MethodNotAllowed, status.message().to_owned(), None),
            Code::Unauthenticated => Self::unauthorized(),
            Code::PermissionDenied => Self::new(Reason::Forbidden, status.message().to_owned(), None),
            _ => Self::internal(status.message()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_survives_the_way_over_grpc() {
        for reason in Reason::ALL {
            let error = Error::new(reason, format!("about {reason:?}"), None);
            let back = Error::from(tonic::Status::from(error.clone()));
            assert_eq!(back, error);
            assert_eq!(back.reason(), Some(reason));
        }
    }

    #[test]
    fn messages_are_kubernetes_own() {
        assert_eq!(Error::not_found(Kind::Deployment, "x").to_string(), "deployments.apps \"x\" not found");
        assert_eq!(Error::already_exists(Kind::Pod, "x").to_string(), "pods \"x\" already exists");
        let mut errors = Errors::default();
        errors.required(&crate::field::Path::new("spec").child("selector"), "");
        let error = Error::invalid(Kind::Deployment, "kubia", &errors);
        assert_eq!(error.to_string(), "Deployment.apps \"kubia\" is invalid: spec.selector: Required value");
        assert_eq!(error.status.code, 422);
    }
}
