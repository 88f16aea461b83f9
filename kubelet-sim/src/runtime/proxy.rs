//! The service data plane: connections to a service's addresses go to one of its backends, at random.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use squall_proto::squall::cri::v1 as cri;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::AbortHandle;

const BACKLOG: u32 = 1_024;
/// A backend that does not accept in this time is passed over.
const CONNECT: Duration = Duration::from_secs(1);

type Backends = Arc<ArcSwap<Vec<SocketAddr>>>;

/// The listeners of all services.
#[derive(Default)]
pub struct Proxy {
    frontends: HashMap<SocketAddr, Frontend>,
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
    /// Makes the table true: listens where there are backends, refuses where there are none. Returns what could not be
    /// bound. Connections that are open stay open.
    pub fn set(&mut self, ports: &[cri::ServicePort]) -> Vec<String> {
        let mut wanted: HashMap<SocketAddr, Vec<SocketAddr>> = HashMap::new();
        for port in ports {
            let backends: Vec<SocketAddr> = port.backends.iter().filter_map(address).collect();
            for frontend in port.frontends.iter().filter_map(address).filter(|_| !backends.is_empty()) {
                wanted.insert(frontend, backends.clone());
            }
        }
        self.frontends.retain(|address, _| wanted.contains_key(address));
        let mut failures = Vec::new();
        for (address, backends) in wanted {
            match self.frontends.get(&address) {
                Some(frontend) => frontend.backends.store(Arc::new(backends)),
                None => match listen(address) {
                    Ok(listener) => {
                        let backends: Backends = Arc::new(ArcSwap::from_pointee(backends));
                        let task = tokio::spawn(accept(listener, backends.clone())).abort_handle();
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

/// Every node listens on the addresses of every service.
fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

async fn accept(listener: TcpListener, backends: Backends) {
    loop {
        if let Ok((client, _)) = listener.accept().await {
            tokio::spawn(forward(client, backends.clone()));
        }
    }
}

/// A backend that refuses is passed over: the table may be older than the pod's end.
async fn forward(mut client: TcpStream, backends: Backends) {
    let mut left: Vec<SocketAddr> = backends.load().to_vec();
    while !left.is_empty() {
        let backend = left.swap_remove(fastrand::usize(..left.len()));
        if let Ok(Ok(mut server)) = tokio::time::timeout(CONNECT, TcpStream::connect(backend)).await {
            // Small requests and answers should not wait for each other; an end that breaks off ends both.
            drop(client.set_nodelay(true).and_then(|()| server.set_nodelay(true)));
            drop(copy_bidirectional(&mut client, &mut server).await);
            return;
        }
    }
}
