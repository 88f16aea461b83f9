//! The errors of the API: Kubernetes' `Status` with its reason, code and message.

mod object;
mod reason;
mod request;

use std::fmt::{self, Display};

use squall_proto::meta::v1::{Status, StatusDetails};

pub use reason::Reason;

/// Why an API call failed, as Kubernetes reports it.
#[derive(Debug, Clone, PartialEq)]
pub struct Error {
    /// The answer to the client: message, reason, details, code.
    pub status: Box<Status>,
}

impl Error {
    /// Creates an error with the code of its reason.
    #[must_use]
    pub fn new(reason: Reason, message: String, details: Option<StatusDetails>) -> Self {
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
}

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.status.message)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::{Errors, Path};
    use crate::kinds::Kind;

    #[test]
    fn messages_are_kubernetes_own() {
        assert_eq!(Error::not_found(Kind::Deployment, "x").to_string(), "deployments.apps \"x\" not found");
        assert_eq!(Error::already_exists(Kind::Pod, "x").to_string(), "pods \"x\" already exists");
        let mut errors = Errors::default();
        errors.required(&Path::new("spec").child("selector"), "");
        let error = Error::invalid(Kind::Deployment, "kubia", &errors);
        assert_eq!(error.to_string(), "Deployment.apps \"kubia\" is invalid: spec.selector: Required value");
        assert_eq!(error.status.code, 422);
    }
}
