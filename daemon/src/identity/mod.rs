//! Who is asking: the certificate of a connection, as Kubernetes reads it (CN is the user, O are the groups).
//!
//! What the caller may do is for the server to say.

mod caller;
mod connection;

pub use caller::Caller;
pub use connection::{Connection, incoming};
