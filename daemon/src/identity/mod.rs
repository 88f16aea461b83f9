//! Authentication: the caller according to the certificate of the connection. As in Kubernetes, CN is the user and O
//! are the groups.
//!
//! Authorization is up to the server.

mod caller;
mod connection;
mod places;

pub use caller::{Caller, MEMBER};
pub use connection::{Connection, incoming};
