//! Ports that ordinary users may not listen on. Another port carries them.

use std::io;
use std::net::{SocketAddr, TcpListener};

use tokio::net::TcpStream;

/// The first port that everybody may listen on (Linux: `ip_unprivileged_port_start`).
const FIRST_FREE: u16 = 1_024;
/// How far away the port is that carries another one: 80 is at 40080.
const DISTANCE: u16 = 40_000;

/// Returns the address that carries another one whose port ordinary users may not listen on.
#[must_use]
pub fn carrier(address: SocketAddr) -> Option<SocketAddr> {
    let port = address.port();
    (1..FIRST_FREE).contains(&port).then(|| SocketAddr::new(address.ip(), port.saturating_add(DISTANCE)))
}

/// Whether this user may not listen on an address.
#[must_use]
pub fn is_forbidden(address: SocketAddr) -> bool {
    TcpListener::bind(address).is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}

/// Says that an ordinary user may not listen on an address, and which one serves in its place.
#[must_use]
pub fn refused(address: SocketAddr, carrier: SocketAddr) -> String {
    let port = address.port();
    format!("Ordinary users may not listen on port {port}: {address} is served at {carrier}")
}

/// Connects to an address, or to the one that carries it.
///
/// # Errors
/// If nothing listens at either.
pub async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    match (TcpStream::connect(address).await, carrier(address)) {
        (Err(error), Some(carrier)) if error.kind() == io::ErrorKind::ConnectionRefused => {
            TcpStream::connect(carrier).await.map_err(|_| error)
        }
        (result, _) => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_of_the_privileged_is_found_at_its_carrier() {
        let address = SocketAddr::from(([127, 0, 0, 77], 81));
        assert!(connect(address).await.is_err(), "nobody listens");
        let carrier = carrier(address).unwrap();
        assert_eq!(carrier.to_string(), "127.0.0.77:40081");
        let listener = tokio::net::TcpListener::bind(carrier).await.unwrap();
        assert_eq!(connect(address).await.unwrap().peer_addr().unwrap(), carrier);
        drop(listener);
        assert_eq!(super::carrier(SocketAddr::from(([127, 0, 0, 77], 8080))), None);
    }
}
