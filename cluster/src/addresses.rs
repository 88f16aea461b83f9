//! The addresses of a cluster: one /16 of the loopback range, so that clusters do not meet.
//!
//! `127.C.0.0/20` are services, `127.C.16.0/20` their external addresses, `127.C.48.0/24` apiservers, and
//! `127.C.64.0/24` and on the nodes, each with its pods.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::bail;
use serde::{Deserialize, Serialize};

/// The port of every apiserver.
const PORT: u16 = 6443;
/// Which second bytes clusters use.
const NETWORKS: std::ops::Range<u8> = 64..128;
/// The third byte of the first node.
const FIRST_NODE: usize = 64;

/// The network of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network(u8);

impl Network {
    /// One that no cluster uses now.
    pub fn unused() -> anyhow::Result<Self> {
        let count = NETWORKS.len();
        let first = fastrand::usize(..count);
        for offset in 0..count {
            let network = Self(NETWORKS.start + u8::try_from((first + offset) % count).unwrap_or(0));
            if TcpListener::bind((network.apiserver_ip(0), PORT)).is_ok() {
                return Ok(network);
            }
        }
        bail!(
            "every network from 127.{}.0.0 to 127.{}.0.0 is in use (port {PORT} is taken in each)",
            NETWORKS.start,
            NETWORKS.end - 1
        )
    }

    fn apiserver_ip(self, index: usize) -> Ipv4Addr {
        Ipv4Addr::new(127, self.0, 48, u8::try_from(index + 1).unwrap_or(u8::MAX))
    }

    /// Where an apiserver listens.
    pub fn apiserver(self, index: usize) -> String {
        format!("{}:{PORT}", self.apiserver_ip(index))
    }

    /// The addresses that services get.
    pub fn services(self) -> String {
        format!("127.{}.0.0/20", self.0)
    }

    /// The address of the `kubernetes` service.
    pub fn kubernetes_service(self) -> String {
        format!("127.{}.0.1", self.0)
    }

    /// The addresses of a node and its pods.
    pub fn node(self, index: usize) -> String {
        format!("127.{}.{}.0/24", self.0, FIRST_NODE + index)
    }
}

/// How many nodes fit into a network.
pub const MAX_NODES: usize = 256 - FIRST_NODE;
/// How many apiservers fit into a network.
pub const MAX_APISERVERS: usize = 9;
