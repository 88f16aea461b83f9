//! The addresses of a cluster: one /16 of the loopback range, so that clusters do not collide.
//!
//! `127.C.0.0/20` is for services, `127.C.16.0/20` for their external addresses, `127.C.47.1` for the gateway to nodes
//! if there are links, `127.C.48.0/24` for apiservers, and `127.C.64.0/24` onwards for nodes, each with its pods.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};

use anyhow::{Context, bail};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use crate::guard::{open_lock, own_temporary};

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
    /// Finds a network that no cluster is using. While the file is open, no other launcher on this machine takes it:
    /// until the members listen there, nothing else shows that it is in use.
    pub fn unused() -> anyhow::Result<(Self, File)> {
        let count = NETWORKS.len();
        let first = fastrand::usize(..count);
        for offset in 0..count {
            let network = Self(NETWORKS.start + u8::try_from((first + offset) % count).unwrap_or(0));
            if let Some(reservation) = network.reserve()?
                && network.is_silent()
            {
                return Ok((network, reservation));
            }
        }
        bail!(
            "every network from 127.{}.0.0 to 127.{}.0.0 is in use (port {PORT} is taken in each)",
            NETWORKS.start,
            NETWORKS.end - 1
        )
    }

    /// Returns the network that an apiserver's URL (`https://127.91.48.1:6443`) belongs to.
    pub fn of_apiserver(url: &str) -> Option<Self> {
        let host = url.strip_prefix("https://")?.rsplit_once(':')?.0;
        let [127, second, 48, _] = host.parse::<Ipv4Addr>().ok()?.octets() else { return None };
        NETWORKS.contains(&second).then_some(Self(second))
    }

    /// Claims this network, if no cluster is using it. For the file, see [`Network::unused`].
    pub fn claim(self) -> anyhow::Result<(Self, File)> {
        if let Some(reservation) = self.reserve()?
            && self.is_silent()
        {
            return Ok((self, reservation));
        }
        bail!("the addresses 127.{}.0.0/16 are in use by another cluster", self.0)
    }

    /// Whether no apiserver listens there, whatever its number.
    fn is_silent(self) -> bool {
        (0..MAX_EVER_APISERVERS).all(|index| TcpListener::bind((self.apiserver_ip(index), PORT)).is_ok())
    }

    /// Locks the network's file; `None` if another launcher has it.
    fn reserve(self) -> anyhow::Result<Option<File>> {
        // Another user's launchers are only noticed once they listen.
        let path = own_temporary()?.join(format!("127.{}.lock", self.0));
        let file = open_lock(&path).with_context(|| format!("opening {}", path.display()))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(file)),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error).with_context(|| format!("locking {}", path.display())),
        }
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

    #[test]
    fn two_launchers_do_not_take_the_same_network() {
        let taken: Vec<(Network, File)> = (0..8).map(|_| Network::unused().unwrap()).collect();
        let names: std::collections::BTreeSet<u8> = taken.iter().map(|(network, _)| network.0).collect();
        assert_eq!(names.len(), taken.len());
    }
}
