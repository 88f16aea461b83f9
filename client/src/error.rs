//! The errors of a client.

use squall_api::error::Reason;

/// Why a request failed, by what the caller can do about it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// An apiserver answered with an error.
    #[error(transparent)]
    Api(#[from] squall_api::Error),
    /// No apiserver answered in time.
    #[error("no apiserver answered: {reason}")]
    Unreachable {
        /// The addresses that were tried.
        endpoints: Vec<String>,
        /// Why the last attempt failed.
        reason: String,
        /// The last connection was refused: nothing listens there.
        refused: bool,
    },
    /// The configuration is missing or wrong, or the operation failed locally.
    #[error("{0}")]
    Config(String),
}

impl Error {
    /// Returns the reason, if an apiserver gave one.
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

    /// Whether the object does not exist.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.is(Reason::NotFound)
    }
}
