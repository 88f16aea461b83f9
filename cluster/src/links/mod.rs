//! Links: all traffic between a member or client and an apiserver, between an apiserver and a node, and between nodes
//! goes through one process, `link-proxy`. It can hold back, delay or break off each direction on its own. No privilege
//! is needed: links reach an apiserver at another port of its address, and nodes and their pods through a gateway that
//! is sent the destination.
//!
//! `way` defines the ends and directions, `condition` is the state of a direction, `pass` carries bytes, `proxy`
//! accepts connections and applies the faults, and `gateway` accepts the connections to nodes.

mod condition;
mod gateway;
mod pass;
mod proxy;
mod way;

pub use proxy::Proxy;
pub use way::{CLIENTS, End, Way};
