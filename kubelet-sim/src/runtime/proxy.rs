//! The service data plane: forwards each connection to a service to one of its backends. The backend is random, or
//! with `sessionAffinity: ClientIP`, the same for each client. As with kube-proxy, a backend that refuses the connection
//! is the client's misfortune; only `--retry-backends` tries the next one.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use squall_daemon::Gateway;
use squall_daemon::carried::{carrier, refused};
use squall_faults::mutants::Mutant;
use squall_proto::squall::cri::v1 as cri;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::AbortHandle;

const BACKLOG: u32 = 1_024;
/// A backend that does not accept within this time is skipped, if there are others to try.
const CONNECT: Duration = Duration::from_secs(1);
/// How long the only backend may take. Most clients give up sooner.
const CONNECT_ONLY: Duration = Duration::from_secs(30);

/// How many backends are tried for a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retries {
    /// One, as kube-proxy does.
    None,
    /// One after the other, until one accepts.
    EachBackend,
}

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
    retries: Retries,
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
    pub fn new(gateway: Gateway, retries: Retries) -> Self {
        let retries = if Mutant::OneBackend.is_on() { Retries::None } else { retries };
        Self { frontends: HashMap::new(), gateway, retries }
    }

    /// Applies the table: listens on each address with backends, and stops listening on all others. Returns the
    /// addresses that were not bound as asked, with the reason. Open connections stay open.
    pub fn set(&mut self, ports: &[cri::ServicePort]) -> Vec<cri::Unbound> {
        let mut wanted: HashMap<SocketAddr, (Table, &str)> = HashMap::new();
        for port in ports {
            let backends: Vec<SocketAddr> = port.backends.iter().filter_map(address).collect();
            for frontend in port.frontends.iter().filter_map(address).filter(|_| !backends.is_empty()) {
                let table = Table { backends: backends.clone(), client_affinity: port.client_affinity };
                wanted.insert(frontend, (table, &port.name));
            }
        }
        self.frontends.retain(|address, _| wanted.contains_key(address));
        let mut unbound = Vec::new();
        for (address, (table, name)) in wanted {
            let mut not_as_asked = |reason| unbound.push(cri::Unbound { name: name.to_owned(), reason });
            match self.frontends.get(&address) {
                Some(frontend) => frontend.backends.store(Arc::new(table)),
                None => match listen_or_carry(address) {
                    Ok((listener, problem)) => {
                        problem.into_iter().for_each(&mut not_as_asked);
                        let backends: Backends = Arc::new(ArcSwap::from_pointee(table));
                        let task =
                            tokio::spawn(accept(listener, backends.clone(), self.gateway, self.retries)).abort_handle();
                        self.frontends.insert(address, Frontend { backends, task });
                    }
                    Err(error) => not_as_asked(format!("{address} is not served: {error}")),
                },
            }
        }
        unbound
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

/// Listens on an address, or on the one that carries it, and says so.
fn listen_or_carry(address: SocketAddr) -> std::io::Result<(TcpListener, Option<String>)> {
    match (listen(address), carrier(address)) {
        (Ok(listener), _) => Ok((listener, None)),
        (Err(error), Some(carrier)) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            Ok((listen(carrier)?, Some(refused(address, carrier))))
        }
        (Err(error), _) => Err(error),
    }
}

async fn accept(listener: TcpListener, backends: Backends, gateway: Gateway, retries: Retries) {
    loop {
        if let Ok((client, from)) = listener.accept().await {
            let mut order = backends.load().order(from.ip());
            if retries == Retries::None {
                order.truncate(1);
            }
            tokio::spawn(forward(client, order, gateway));
        }
    }
}

/// Forwards to the first backend that accepts. If none does, the client sees a reset: the nearest thing to a refusal that
/// is left once its connection is accepted.
async fn forward(mut client: TcpStream, backends: Vec<SocketAddr>, gateway: Gateway) {
    let limit = if backends.len() == 1 { CONNECT_ONLY } else { CONNECT };
    for backend in backends {
        if let Ok(Ok(mut server)) = tokio::time::timeout(limit, gateway.dial(backend)).await {
            // Small requests and answers should not wait for each other. If either side disconnects, both end.
            drop(client.set_nodelay(true).and_then(|()| server.set_nodelay(true)));
            drop(copy_bidirectional(&mut client, &mut server).await);
            return;
        }
    }
    // Best effort: without it, the client sees the end of the connection.
    drop(client.set_zero_linger());
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

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

    /// A client's connection to a service whose first backend, in any order, refuses it.
    async fn answered(retries: Retries) -> usize {
        let alive = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let backends = vec![gone, alive.local_addr().unwrap()];
        let table = Arc::new(ArcSwap::from_pointee(Table { backends, client_affinity: false }));
        let frontend = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = frontend.local_addr().unwrap();
        tokio::spawn(accept(frontend, table, Gateway::default(), retries));
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = alive.accept().await.unwrap();
                stream.write_all(b"hello").await.unwrap();
            }
        });
        let mut answered = 0;
        for _ in 0..40 {
            let mut answer = Vec::new();
            let mut client = TcpStream::connect(address).await.unwrap();
            // A refusal is a reset.
            let ended = client.read_to_end(&mut answer).await;
            assert_eq!(ended.is_ok(), !answer.is_empty());
            answered += usize::from(!answer.is_empty());
        }
        answered
    }

    #[tokio::test]
    async fn a_connection_has_one_backend_unless_the_lucky_way_was_asked_for() {
        let some = answered(Retries::None).await;
        assert!((5..36).contains(&some), "{some} of 40 connections met the pod that is alive");
        assert_eq!(answered(Retries::EachBackend).await, 40);
    }
}
