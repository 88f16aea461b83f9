//! Links: between a member or a client and an apiserver, between an apiserver and a node, and between nodes all that is sent goes
//! through one process, `link-proxy`, which can hold it back, delay it, or break the connection off, each direction on its own. No
//! privilege is needed: an apiserver is reached over links at another port of its address, and nodes and their pods through
//! a gateway that is told where to.
//!
//! `way` says what is connected with what, `condition` how a way is, `pass` carries bytes, `proxy` takes connections in and
//! is what faults are put in force at, `gateway` takes in those that go to nodes.

mod condition;
mod gateway;
mod pass;
mod proxy;
mod way;

pub use proxy::Proxy;
pub use way::{CLIENTS, End, Way};
