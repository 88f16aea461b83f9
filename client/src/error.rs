//! What can go wrong between here and a cluster.

use squall_api::error::Reason;

/// An error, by what the caller would do about it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// An apiserver answered, and said no.
    #[error(transparent)]
    Api(#[from] squall_api::Error),
    /// No apiserver answered in time; the last reason.
    #[error("no apiserver answered: {reason}")]
    Unreachable {
        /// The addresses that were tried.
        endpoints: Vec<String>,
        /// Why the last one did not answer.
        reason: String,
        /// Every attempt ended with a refused connection: nothing listens there.
        refused: bool,
    },
    /// It is not known where the cluster is.
    #[error("{0}")]
    Config(String),
}

impl Error {
    /// The reason, if an apiserver gave one.
    #[must_use]
    pub fn reason(&self) -> Option<Reason> {
        match self {
            Self::Api(error) => error.reason(),
            Self::Unreachable { .. } | Self::Config(_) => None,
        }
    }

    /// Whether an apiserver answered with this reason.
    #[must_use]
    pub fn is(&self, reason: Reason) -> bool {
        self.reason() == Some(reason)
    }

    /// Whether the object is not there.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.is(Reason::NotFound)
    }
}
