//! The addresses of a cluster: one /16 of the loopback range, so that clusters do not collide.
//!
//! `127.C.0.0/20` is for services, `127.C.16.0/20` for their external addresses, `127.C.47.1` for the gateway to nodes
//! if there are links, `127.C.48.0/24` for apiservers, and `127.C.64.0/24` onwards for nodes, each with its pods.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde::{Deserialize, Serialize};

/// The port of every apiserver.
const PORT: u16 = 6443;
/// The second bytes of the networks that clusters use.
const NETWORKS: std::ops::Range<u8> = 64..128;
/// The third byte of the first node.
const FIRST_NODE: usize = 64;

/// The network of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network(u8);

impl Network {
    /// Returns the networks that clusters use.
    pub fn all() -> impl Iterator<Item = Self> {
        NETWORKS.map(Self)
    }

    /// Returns the name of the file that is locked while a launcher takes the network.
    pub fn lock_name(self) -> String {
        format!("127.{}.lock", self.0)
    }

    /// Returns the network that an apiserver's URL (`https://127.91.48.1:6443`) belongs to.
    pub fn of_apiserver(url: &str) -> Option<Self> {
        let host = url.strip_prefix("https://")?.rsplit_once(':')?.0;
        let [127, second, 48, _] = host.parse::<Ipv4Addr>().ok()?.octets() else { return None };
        NETWORKS.contains(&second).then_some(Self(second))
    }

    fn apiserver_ip(self, index: usize) -> Ipv4Addr {
        Ipv4Addr::new(127, self.0, 48, u8::try_from(index + 1).unwrap_or(u8::MAX))
    }

    /// Returns the address and port of an apiserver.
    pub fn apiserver(self, index: usize) -> String {
        format!("{}:{PORT}", self.apiserver_ip(index))
    }

    /// Returns the address of the gateway to nodes, which has a port for each end that may connect.
    pub fn gateway(self, port: u16) -> SocketAddr {
        (Ipv4Addr::new(127, self.0, 47, 1), port).into()
    }

    /// Returns the node that an address belongs to, either as its own or as a pod's.
    pub fn node_of(self, address: IpAddr) -> Option<usize> {
        match address {
            IpAddr::V4(address) => match address.octets() {
                [127, second, third, _] if second == self.0 => usize::from(third).checked_sub(FIRST_NODE),
                _ => None,
            },
            IpAddr::V6(_) => None,
        }
    }

    /// Returns the address range of services.
    pub fn services(self) -> String {
        format!("127.{}.0.0/20", self.0)
    }

    /// Returns the address of the `kubernetes` service.
    pub fn kubernetes_service(self) -> String {
        format!("127.{}.0.1", self.0)
    }

    /// Returns the address range of a node and its pods.
    pub fn node(self, index: usize) -> String {
        format!("127.{}.{}.0/24", self.0, FIRST_NODE + index)
    }

    /// Returns the address of a node itself.
    pub fn node_address(self, index: usize) -> String {
        format!("127.{}.{}.1", self.0, FIRST_NODE + index)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "127.{}.0.0/16", self.0)
    }
}

/// Maximum number of nodes in a network.
pub const MAX_NODES: usize = 256 - FIRST_NODE;
/// Maximum number of apiservers in a cluster at a time.
pub const MAX_APISERVERS: usize = 9;
/// Maximum number of apiservers in the life of a cluster, because numbers are never reused.
pub const MAX_EVER_APISERVERS: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_known_by_its_apiservers() {
        let network = Network(91);
        assert_eq!(Network::of_apiserver(&format!("https://{}", network.apiserver(2))), Some(network));
        for other in ["https://10.0.0.1:6443", "https://127.91.64.1:6443", "https://127.1.48.1:6443", "127.91.48.1", ""]
        {
            assert_eq!(Network::of_apiserver(other), None, "{other}");
        }
    }

    #[test]
    fn a_node_is_known_by_its_addresses() {
        let network = Network(91);
        for (address, node) in [
            ("127.91.64.1", Some(0)),
            ("127.91.66.250", Some(2)),
            ("127.91.48.1", None),
            ("127.90.64.1", None),
            ("::1", None),
        ] {
            assert_eq!(network.node_of(address.parse().unwrap()), node, "{address}");
        }
    }
}
