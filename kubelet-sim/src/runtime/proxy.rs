//! The service data plane: forwards each connection to a service to one of its backends. The backend is random, or
//! with `sessionAffinity: ClientIP`, the same for each client.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use squall_daemon::Gateway;
use squall_faults::mutants::Mutant;
use squall_proto::squall::cri::v1 as cri;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::AbortHandle;

const BACKLOG: u32 = 1_024;
/// A backend that does not accept within this time is skipped.
const CONNECT: Duration = Duration::from_secs(1);

type Backends = Arc<ArcSwap<Table>>;

/// Where connections to an address go.
#[derive(Debug, Default, PartialEq, Eq)]
struct Table {
    backends: Vec<SocketAddr>,
    client_affinity: bool,
}

impl Table {
    /// Returns the backends in the order in which to try them for a client. With affinity, each client has its own
    /// order. It is the same on every node, and changes for few clients when backends come and go (rendezvous hashing).
    fn order(&self, client: IpAddr) -> Vec<SocketAddr> {
        let mut order = self.backends.clone();
        if self.client_affinity {
            order.sort_by_key(|backend| Reverse(rank(client, *backend)));
        } else {
            fastrand::shuffle(&mut order);
        }
        order
    }
}

fn rank(client: IpAddr, backend: SocketAddr) -> u64 {
    // FNV-1a with a final mix, so that neighbouring addresses are far apart.
    let text = format!("{client} {backend}");
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    (hash ^ (hash >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9).rotate_left(31)
}

/// The listeners of all services.
pub struct Proxy {
    frontends: HashMap<SocketAddr, Frontend>,
    /// How to reach pods.
    gateway: Gateway,
}

struct Frontend {
    backends: Backends,
    task: AbortHandle,
}

impl Drop for Frontend {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Proxy {
    /// Creates a proxy without listeners, which reaches pods through a gateway.
    pub fn new(gateway: Gateway) -> Self {
        Self { frontends: HashMap::new(), gateway }
    }

    /// Applies the table: listens on each address with backends, and stops listening on all others. Returns the
    /// addresses that could not be bound, with the error. Open connections stay open.
    pub fn set(&mut self, ports: &[cri::ServicePort]) -> Vec<String> {
        let mut wanted: HashMap<SocketAddr, Table> = HashMap::new();
        for port in ports {
            let backends: Vec<SocketAddr> = port.backends.iter().filter_map(address).collect();
            for frontend in port.frontends.iter().filter_map(address).filter(|_| !backends.is_empty()) {
                let table = Table { backends: backends.clone(), client_affinity: port.client_affinity };
                wanted.insert(frontend, table);
            }
        }
        self.frontends.retain(|address, _| wanted.contains_key(address));
        let mut failures = Vec::new();
        for (address, table) in wanted {
            match self.frontends.get(&address) {
                Some(frontend) => frontend.backends.store(Arc::new(table)),
                None => match listen(address) {
                    Ok(listener) => {
                        let backends: Backends = Arc::new(ArcSwap::from_pointee(table));
                        let task = tokio::spawn(accept(listener, backends.clone(), self.gateway)).abort_handle();
                        self.frontends.insert(address, Frontend { backends, task });
                    }
                    Err(error) => failures.push(format!("{address}: {error}")),
                },
            }
        }
        failures
    }
}

fn address(endpoint: &cri::Endpoint) -> Option<SocketAddr> {
    Some(SocketAddr::new(endpoint.address.parse().ok()?, u16::try_from(endpoint.port).ok()?))
}

/// Listens with `SO_REUSEPORT`: every node listens on the addresses of every service.
fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

async fn accept(listener: TcpListener, backends: Backends, gateway: Gateway) {
    loop {
        if let Ok((client, from)) = listener.accept().await {
            tokio::spawn(forward(client, backends.load().order(from.ip()), gateway));
        }
    }
}

/// Forwards to the first backend that accepts: the table may still list a pod that has ended.
async fn forward(mut client: TcpStream, backends: Vec<SocketAddr>, gateway: Gateway) {
    let tried = if Mutant::OneBackend.is_on() { 1 } else { backends.len() };
    for backend in backends.into_iter().take(tried) {
        if let Ok(Ok(mut server)) = tokio::time::timeout(CONNECT, gateway.dial(backend)).await {
            // Small requests and answers should not wait for each other. If either side disconnects, both end.
            drop(client.set_nodelay(true).and_then(|()| server.set_nodelay(true)));
            drop(copy_bidirectional(&mut client, &mut server).await);
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(backends: &[u8]) -> Table {
        let backends = backends.iter().map(|last| SocketAddr::from(([127, 64, 64, *last], 8080)));
        Table { backends: backends.collect(), client_affinity: true }
    }

    #[test]
    fn a_client_keeps_its_backend_as_long_as_that_is_there() {
        let (before, after) = (table(&[1, 2, 3, 4]), table(&[4, 2, 1]));
        let clients = (1..=100).map(|last| IpAddr::from([127, 0, 1, last]));
        let (mut used, mut kept) = (std::collections::BTreeSet::new(), 0);
        for client in clients {
            let first = before.order(client)[0];
            used.insert(first);
            if after.backends.contains(&first) {
                assert_eq!(after.order(client)[0], first);
                kept += 1;
            }
        }
        assert_eq!(used.len(), 4, "all backends have clients");
        assert!(kept > 50, "only {kept} of 100 clients kept their backend");
    }
}
