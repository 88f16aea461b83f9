//! Pages of lists: the next page starts at an opaque token of a revision and a key.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use squall_api::Error;

use crate::store::Revision;

const VERSION: &str = "meta.k8s.io/v1";

/// The start of the next page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Continuation {
    v: String,
    /// Revision of the list; 0 for the most recent one at the time of the request.
    rv: Revision,
    /// First remaining key, without the prefix of its collection.
    start: String,
}

impl Continuation {
    /// Creates the start after the object with this key, in a list of this revision.
    #[must_use]
    pub fn after(key: &str, revision: Revision) -> Self {
        // The smallest key that is greater.
        Self { v: VERSION.to_owned(), rv: revision, start: format!("{key}\0") }
    }

    /// Returns the same start in the most recent state at the time of the request.
    #[must_use]
    pub fn inconsistent(&self) -> Self {
        Self { rv: 0, ..self.clone() }
    }

    /// Returns the revision; `None` for the most recent one.
    #[must_use]
    pub fn revision(&self) -> Option<Revision> {
        (self.rv != 0).then_some(self.rv)
    }

    /// Returns the first remaining key, without the prefix of its collection.
    #[must_use]
    pub fn start(&self) -> &str {
        &self.start
    }

    /// Encodes the start as a token.
    #[must_use]
    pub fn token(&self) -> String {
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    /// Parses a token from this server or another one of the cluster.
    pub fn parse(token: &str) -> Result<Self, Error> {
        let invalid = |problem: &str| Error::bad_request(format!("continue key is not valid: {problem}"));
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|error| invalid(&error.to_string()))?;
        let read: Self = serde_json::from_slice(&bytes).map_err(|error| invalid(&error.to_string()))?;
        match read.v.as_str() {
            VERSION => Ok(read),
            other => Err(invalid(&format!("server does not recognize this encoded version {other:?}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back_and_nonsense_is_refused() {
        let page = Continuation::after("default/kubia", 42);
        let read = Continuation::parse(&page.token()).unwrap();
        assert_eq!((read.revision(), read.start()), (Some(42), "default/kubia\0"));
        assert_eq!(Continuation::parse(&read.inconsistent().token()).unwrap().revision(), None);
        for bad in ["", "x", "e30", "eyJ2IjoieCIsInJ2IjoxLCJzdGFydCI6IiJ9"] {
            assert!(Continuation::parse(bad).is_err(), "{bad}");
        }
    }
}
