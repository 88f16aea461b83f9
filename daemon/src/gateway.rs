//! The way to nodes and their pods. In a cluster whose links can be broken it goes through a gateway: whoever connects says first
//! where to, and hears when that is connected.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What the gateway says when the other end is connected.
const CONNECTED: u8 = 1;

/// How nodes and pods are reached; without an address directly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::Args)]
pub struct Gateway {
    /// Reach nodes and their pods through this gateway
    #[arg(long = "gateway", value_name = "ADDRESS")]
    address: Option<SocketAddr>,
}

impl Gateway {
    /// One that listens at an address.
    #[must_use]
    pub const fn at(address: SocketAddr) -> Self {
        Self { address: Some(address) }
    }

    /// Connects.
    ///
    /// # Errors
    /// If nobody listens there, as far as can be told: a gateway that cannot connect hangs up.
    pub async fn dial(self, target: SocketAddr) -> io::Result<TcpStream> {
        let (Some(gateway), SocketAddr::V4(target)) = (self.address, target) else {
            let stream = TcpStream::connect(target).await?;
            stream.set_nodelay(true)?;
            return Ok(stream);
        };
        let mut stream = TcpStream::connect(gateway).await?;
        stream.set_nodelay(true)?;
        stream.write_all(&encode(target)).await?;
        match stream.read_u8().await? {
            CONNECTED => Ok(stream),
            other => Err(io::Error::other(format!("the gateway {gateway} answers {other}"))),
        }
    }
}

fn encode(target: SocketAddrV4) -> [u8; 6] {
    let ([a, b, c, d], [high, low]) = (target.ip().octets(), target.port().to_be_bytes());
    [a, b, c, d, high, low]
}

/// As the gateway: where a connection is to go.
///
/// # Errors
/// If it ends before it has said so.
pub async fn destination(stream: &mut TcpStream) -> io::Result<SocketAddr> {
    let mut bytes = [0; 6];
    stream.read_exact(&mut bytes).await?;
    let [a, b, c, d, high, low] = bytes;
    Ok(SocketAddr::from((Ipv4Addr::new(a, b, c, d), u16::from_be_bytes([high, low]))))
}

/// As the gateway: it is connected.
///
/// # Errors
/// If whoever asked is gone.
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
        let gateway = Gateway::at(listener.local_addr().unwrap());
        let target: SocketAddr = "127.91.65.7:8080".parse().unwrap();
        let serving = tokio::spawn(async move {
            let mut first = listener.accept().await.unwrap().0;
            let asked = destination(&mut first).await.unwrap();
            say_connected(&mut first).await.unwrap();
            first.write_all(b"hello").await.unwrap();
            drop(first);
            // The second is hung up on.
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
