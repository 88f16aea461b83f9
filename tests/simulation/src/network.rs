//! The simulated network: turmoil's TCP under tonic.

use std::io;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, Stream, stream};
use hyper_util::rt::TokioIo;
use squall_apiserver::host::Network;
use squall_daemon::identity::Caller;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tonic::codegen::http::Uri;
use tonic::transport::server::Connected;
use tonic::transport::{Channel, Endpoint, Error};
use turmoil::net::{TcpListener, TcpStream};

/// The port of every apiserver, each on its own machine.
pub const PORT: u16 = 6443;

/// The number of attempts to connect by any machine.
static ATTEMPTS: AtomicU64 = AtomicU64::new(0);

/// Returns the number of attempts to connect so far.
pub fn attempts() -> u64 {
    ATTEMPTS.load(Ordering::Relaxed)
}

/// The network between the simulated machines.
pub struct SimulatedNetwork;

impl Network for SimulatedNetwork {
    fn channel(&self, endpoint: Endpoint) -> Result<Channel, Error> {
        channel(&endpoint)
    }

    fn kubelet(&self, endpoint: Endpoint) -> Result<Channel, Error> {
        channel(&endpoint)
    }

    fn probe(&self, address: String) -> BoxFuture<'static, io::Result<()>> {
        async move { TcpStream::connect(address).await.map(drop) }.boxed()
    }
}

/// Returns a connection over the simulated network.
pub fn channel(endpoint: &Endpoint) -> Result<Channel, Error> {
    Ok(endpoint.connect_with_connector_lazy(tower::service_fn(|uri: Uri| async move {
        ATTEMPTS.fetch_add(1, Ordering::Relaxed);
        let address = format!("{}:{}", uri.host().unwrap_or_default(), uri.port_u16().unwrap_or(PORT));
        Ok::<_, io::Error>(TokioIo::new(TcpStream::connect(address).await?))
    })))
}

/// Listens on this machine and returns the incoming connections.
pub async fn incoming() -> io::Result<impl Stream<Item = io::Result<Accepted>>> {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT)).await?;
    Ok(stream::unfold(listener, async |listener| {
        let accepted = listener.accept().await.map(|(stream, _)| Accepted(stream));
        Some((accepted, listener))
    }))
}

/// An accepted connection.
pub struct Accepted(TcpStream);

impl Connected for Accepted {
    type ConnectInfo = Caller;

    /// Trusts every caller, because there are no certificates here.
    fn connect_info(&self) -> Caller {
        Caller::member()
    }
}

impl AsyncRead for Accepted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Accepted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
