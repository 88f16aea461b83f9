//! Links: between a member or a client and an apiserver all that is sent goes through one process, `link-proxy`, which can
//! hold it back, delay it, or break the connection off, each direction on its own. No privilege is needed: whoever is to be
//! reached over links is told another port of the same address.
//!
//! `way` says what is connected with what, `condition` how a way is, `pass` carries bytes, `proxy` takes connections in and
//! is what faults are put in force at.

mod condition;
mod pass;
mod proxy;
mod way;

pub use proxy::Proxy;
pub use way::{CLIENTS, End, Way};
