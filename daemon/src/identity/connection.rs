//! Incoming connections: the TLS handshake, and the caller that it identifies.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::{Stream, StreamExt, stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Sleep;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

use super::Caller;
use super::places::{Closed, Limits, Place, Places};

/// The timeout of a TLS handshake.
const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(10);
/// The pause after a failed accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);
/// The timeout for the start of a client's first request.
const FIRST_REQUEST_PATIENCE: Duration = Duration::from_secs(10);
/// How long an anonymous caller may keep a connection. Callers that stay identify themselves, if only by a token.
const ANONYMOUS_PATIENCE: Duration = Duration::from_secs(120);
/// The number of bytes that reveal the client's protocol: the preface of HTTP/2, or a request of HTTP/1.
const PREFACE_BYTES: usize = 24;
/// Handshakes that were given up and are not gone yet.
const ENDING: usize = 64;

/// An encrypted connection and its caller.
pub struct Connection {
    stream: Awaited<TlsStream<TcpStream>>,
    caller: Caller,
    /// Resolves when the connection has to end.
    end: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    _place: Place,
}

impl Connected for Connection {
    type ConnectInfo = Caller;

    fn connect_info(&self) -> Caller {
        self.caller.clone()
    }
}

/// Accepts connections and performs their handshakes. A slow or failed handshake does not delay other clients: when too
/// many are under way, the oldest one is given up.
pub fn incoming(listener: TcpListener, tls: ServerConfig) -> impl Stream<Item = io::Result<Connection>> {
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    let places = Places::new(Limits::of_process());
    let greeting = places.limits().greeting;
    let accepted = stream::unfold(listener, async |listener| {
        let accepted = listener.accept().await;
        if accepted.is_err() {
            // Most likely out of file descriptors: an immediate retry would only keep the processor busy.
            tokio::time::sleep(ACCEPT_PAUSE).await;
        }
        Some((accepted, listener))
    });
    accepted
        .map(move |accepted| {
            let (acceptor, places) = (acceptor.clone(), places.clone());
            let place = accepted.is_ok().then(|| places.greet());
            async move {
                let (stream, _) = accepted?;
                let Some((place, closed)) = place else { return Err(io::ErrorKind::ConnectionAborted.into()) };
                // A task of its own, because the signature takes a while.
                let greeting = tokio::spawn(async move {
                    let _place = place;
                    tokio::select! {
                        connection = greet(acceptor, stream, places) => connection,
                        () = ended(closed) => Err(io::Error::other("too many clients are silent")),
                    }
                });
                greeting.await.map_err(io::Error::other)?
            }
        })
        .buffer_unordered(greeting.saturating_add(ENDING))
}

/// Returns when a connection has to give up its place.
async fn ended(closed: Closed) {
    match closed {
        // The sender is dropped, and never sends.
        Some(closed) => drop(closed.await),
        None => std::future::pending().await,
    }
}

async fn greet(acceptor: TlsAcceptor, stream: TcpStream, places: Places) -> io::Result<Connection> {
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
    let (place, closed) = places.of(&caller).ok_or_else(|| io::Error::other("too many connections"))?;
    let end = closed.map(|closed| {
        let end = async {
            tokio::select! {
                () = ended(Some(closed)) => {}
                () = tokio::time::sleep(ANONYMOUS_PATIENCE) => {}
            }
        };
        Box::pin(end) as Pin<Box<dyn Future<Output = ()> + Send>>
    });
    Ok(Connection { stream: Awaited::new(stream), caller, end, _place: place })
}

impl Connection {
    /// Whether the connection has to end now.
    fn has_ended(&mut self, cx: &mut Context<'_>) -> bool {
        !self.caller.is_shown() && self.end.as_mut().is_some_and(|end| end.as_mut().poll(cx).is_ready())
    }
}

/// A stream that times out if the client does not start its first request. The HTTP server itself waits for it forever.
struct Awaited<S> {
    stream: S,
    /// The number of missing bytes and their deadline; `None` once they have arrived.
    beginning: Option<(usize, Pin<Box<Sleep>>)>,
}

impl<S> Awaited<S> {
    fn new(stream: S) -> Self {
        Self { stream, beginning: Some((PREFACE_BYTES, Box::pin(tokio::time::sleep(FIRST_REQUEST_PATIENCE)))) }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Awaited<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        let Some((left, until)) = &mut self.beginning else { return read };
        *left = left.saturating_sub(buf.filled().len().saturating_sub(before));
        if *left == 0 {
            self.beginning = None;
        } else if read.is_pending() && until.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        read
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.has_ended(cx) {
            self.end = Some(Box::pin(std::future::ready(())));
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_says_too_little_is_not_waited_for() {
        let (mut client, server) = duplex(64);
        let mut server = Awaited::new(server);
        let began = Instant::now();
        client.write_all(b"PRI *").await.unwrap();
        let mut buffer = [0; 5];
        server.read_exact(&mut buffer).await.unwrap();
        let error = server.read_u8().await.unwrap_err();
        assert_eq!((error.kind(), began.elapsed()), (io::ErrorKind::TimedOut, FIRST_REQUEST_PATIENCE));
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_begun_may_be_silent() {
        let (mut client, server) = duplex(64);
        let mut server = Awaited::new(server);
        client.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let mut buffer = [0; 32];
        server.read_exact(&mut buffer).await.unwrap();
        let silent = tokio::time::timeout(FIRST_REQUEST_PATIENCE * 100, server.read_exact(&mut buffer)).await;
        assert!(silent.is_err(), "still waiting");
    }
}
