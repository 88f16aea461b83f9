//! Serves connections: HTTP/2 and HTTP/1.1, with bounds on what a client that does not read makes this process keep.

use std::convert::Infallible;
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use squall_daemon::identity::Caller;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tonic::body::Body;
use tonic::transport::server::Connected;
use tower::Service;

use crate::answering::answer;
use crate::authentication::caller_of;
use crate::bounds::{HEAD_BYTES, HEAD_LINES};
use crate::fairness::{Fairness, Level};
use crate::patience::Patient;
use crate::refusal::refusal;
use crate::registry::Registry;

/// Maximum number of open requests on one HTTP/2 connection.
const STREAMS: u32 = 4_096;
/// Interval of keepalive pings on a silent connection, and the timeout for their answers.
const KEEPALIVE: Duration = Duration::from_secs(5);
/// Maximum length of an answer that waits in one HTTP/2 stream, besides the piece that its body wrote last.
const SEND_BUFFER_BYTES: usize = 16 << 10;
/// Timeout for the head of an HTTP/1.1 request.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);

/// How the requests of all connections are answered.
#[derive(Clone)]
pub struct Serving<S> {
    /// Answers the requests.
    pub service: S,
    /// Refuses callers that take too much.
    pub fairness: Fairness,
    /// Knows the service accounts, whose tokens requests may bring.
    pub registry: Registry,
}

/// Serves connections until there are no more. Those that are open end when this is dropped.
pub async fn serve<I, C, E, S>(incoming: I, serving: Serving<S>)
where
    I: Stream<Item = Result<C, E>> + Send,
    C: AsyncRead + AsyncWrite + Connected<ConnectInfo = Caller> + Unpin + Send + 'static,
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
    S: Service<Request<Patient<Incoming>>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    let mut connections = JoinSet::new();
    tokio::pin!(incoming);
    loop {
        tokio::select! {
            next = incoming.next() => match next {
                Some(Ok(connection)) => {
                    connections.spawn(connected(connection, serving.clone()));
                }
                Some(Err(error)) => tracing::debug!(error = %error.into(), "a client did not connect"),
                None => break,
            },
            Some(_) = connections.join_next() => {}
        }
    }
    while connections.join_next().await.is_some() {}
}

/// Answers a request once it is known who asks.
async fn authenticated<S>(serving: Serving<S>, connected: &Caller, mut request: Request<Incoming>) -> Response<Body>
where
    S: Service<Request<Patient<Incoming>>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    let caller = match caller_of(&serving.registry, connected, &request).await {
        Ok(caller) => caller,
        Err(error) => return refusal(&request, &error).into(),
    };
    request.extensions_mut().insert(caller.clone());
    // Members stream to each other for as long as they run.
    let request = request.map(if Level::of(&caller).is_some() { Patient::within_limit } else { Patient::for_ever });
    answer(&serving.fairness, &caller, serving.service, request).await
}

async fn connected<C, S>(connection: C, serving: Serving<S>)
where
    C: AsyncRead + AsyncWrite + Connected<ConnectInfo = Caller> + Unpin + Send + 'static,
    S: Service<Request<Patient<Incoming>>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    let connected = connection.connect_info();
    let answered = service_fn(move |request: Request<Incoming>| {
        let (connected, serving) = (connected.clone(), serving.clone());
        async move { Ok::<_, Infallible>(authenticated(serving, &connected, request).await) }
    });
    let mut server = Builder::new(TokioExecutor::new());
    server
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE)
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEAD_LINES);
    server
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE)
        .max_concurrent_streams(STREAMS)
        .max_send_buf_size(SEND_BUFFER_BYTES);
    if let Err(error) = server.serve_connection_with_upgrades(TokioIo::new(connection), answered).await {
        tracing::debug!(error, "a connection broke");
    }
}
