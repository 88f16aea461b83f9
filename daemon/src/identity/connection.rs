//! Connections that come in: TLS, with whoever is at the other end.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::{Stream, StreamExt, stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

use super::Caller;

/// A client that has not said who it is after this time is turned away.
const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(10);
/// The wait after a connection that could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);
/// How many clients may be saying who they are at once; more wait to be accepted.
const HANDSHAKES: usize = 1_024;

/// An encrypted connection with someone.
pub struct Connection {
    stream: TlsStream<TcpStream>,
    caller: Caller,
}

impl Connected for Connection {
    type ConnectInfo = Caller;

    fn connect_info(&self) -> Caller {
        self.caller.clone()
    }
}

/// Whoever connects and can be spoken to. A handshake that fails or takes too long keeps nobody else waiting.
pub fn incoming(listener: TcpListener, tls: ServerConfig) -> impl Stream<Item = io::Result<Connection>> {
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    let accepted = stream::unfold(listener, async |listener| {
        let accepted = listener.accept().await;
        if accepted.is_err() {
            // Out of files, most likely: asking again at once would only keep the processor busy.
            tokio::time::sleep(ACCEPT_PAUSE).await;
        }
        Some((accepted, listener))
    });
    accepted
        .map(move |accepted| {
            let acceptor = acceptor.clone();
            async move {
                let (stream, _) = accepted?;
                // A task of its own: the signature takes a while.
                tokio::spawn(greet(acceptor, stream)).await.map_err(io::Error::other)?
            }
        })
        .buffer_unordered(HANDSHAKES)
}

async fn greet(acceptor: TlsAcceptor, stream: TcpStream) -> io::Result<Connection> {
    stream.set_nodelay(true)?;
    let greeting = tokio::time::timeout(HANDSHAKE_PATIENCE, acceptor.accept(stream)).await;
    let stream = greeting.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    let (_, session) = stream.get_ref();
    let certificate = session.peer_certificates().and_then(<[_]>::first);
    let caller = match certificate {
        None => Caller::anonymous(),
        Some(certificate) => Caller::of_certificate(certificate)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the certificate names no user"))?,
    };
    Ok(Connection { stream, caller })
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
