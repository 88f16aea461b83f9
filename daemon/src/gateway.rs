//! Connections to nodes and their pods. In a cluster with breakable links they go through a gateway: the client first
//! sends the address of its target, and the gateway confirms when it is connected.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::carried;

/// The byte that the gateway sends when it is connected to the target.
const CONNECTED: u8 = 1;

/// How to reach nodes and pods: through a gateway, or directly if there is no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Gateway {
    address: Option<SocketAddr>,
}

impl Gateway {
    /// Creates a gateway that listens at this address; without an address, connections are direct.
    #[must_use]
    pub const fn new(address: Option<SocketAddr>) -> Self {
        Self { address }
    }

    /// Connects to a target.
    ///
    /// # Errors
    /// If nothing listens at the target. A gateway that cannot connect closes the connection.
    pub async fn dial(self, target: SocketAddr) -> io::Result<TcpStream> {
        let (Some(gateway), SocketAddr::V4(target)) = (self.address, target) else {
            let stream = carried::connect(target).await?;
            stream.set_nodelay(true)?;
            return Ok(stream);
        };
        let mut stream = TcpStream::connect(gateway).await?;
        stream.set_nodelay(true)?;
        stream.write_all(&encode(target)).await?;
        match stream.read_u8().await? {
            CONNECTED => Ok(stream),
            other => Err(io::Error::other(format!("unexpected byte {other} from the gateway {gateway}"))),
        }
    }
}

fn encode(target: SocketAddrV4) -> [u8; 6] {
    let ([a, b, c, d], [high, low]) = (target.ip().octets(), target.port().to_be_bytes());
    [a, b, c, d, high, low]
}

/// Reads the target address of a connection, on the gateway's side.
///
/// # Errors
/// If the connection ends before the address is complete.
pub async fn destination(stream: &mut TcpStream) -> io::Result<SocketAddr> {
    let mut bytes = [0; 6];
    stream.read_exact(&mut bytes).await?;
    let [a, b, c, d, high, low] = bytes;
    Ok(SocketAddr::from((Ipv4Addr::new(a, b, c, d), u16::from_be_bytes([high, low]))))
}

/// Confirms that the target is connected, on the gateway's side.
///
/// # Errors
/// If the client has disconnected.
pub async fn say_connected(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_u8(CONNECTED).await
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_gateway_hears_where_to_and_says_when_it_is_there() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gateway = Gateway::new(listener.local_addr().ok());
        let target: SocketAddr = "127.91.65.7:8080".parse().unwrap();
        let serving = tokio::spawn(async move {
            let mut first = listener.accept().await.unwrap().0;
            let asked = destination(&mut first).await.unwrap();
            say_connected(&mut first).await.unwrap();
            first.write_all(b"hello").await.unwrap();
            drop(first);
            // The second connection is closed without an answer.
            destination(&mut listener.accept().await.unwrap().0).await.unwrap();
            asked
        });
        let mut text = String::new();
        gateway.dial(target).await.unwrap().read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "hello");
        assert!(gateway.dial(target).await.is_err());
        assert_eq!(serving.await.unwrap(), target);
    }
}
