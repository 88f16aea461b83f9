//! Kubernetes' reasons of an error, with their HTTP codes.

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
}
