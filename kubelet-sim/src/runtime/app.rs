//! The application in a container: answers HTTP requests and ends as its image specifies.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use squall_faults::mutants::Mutant;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::log::Log;
use crate::catalogue::{Answer, Image, Shutdown};

/// A draining container ends when no request has arrived for this long.
const QUIET: Duration = Duration::from_millis(300);
const BACKLOG: u32 = 1_024;

/// An order to a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Serve.
    Run,
    /// End, as after SIGTERM.
    End,
}

/// How a container ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit {
    /// The exit code; 137 if it was killed.
    pub code: i32,
}

struct App {
    image: Image,
    pod: String,
    log: Arc<Log>,
    requests: AtomicU64,
    open: AtomicUsize,
    last_request: watch::Sender<Instant>,
}

/// Listens on the addresses of a container.
pub fn listen(addresses: &[SocketAddr]) -> std::io::Result<Vec<TcpListener>> {
    let bind = |address: &SocketAddr| {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(*address)?;
        socket.listen(BACKLOG)
    };
    addresses.iter().map(bind).collect()
}

/// Runs a container until it ends.
pub async fn run(
    image: Image,
    pod: String,
    log: Arc<Log>,
    listeners: Vec<TcpListener>,
    mut orders: watch::Receiver<Order>,
) -> Exit {
    let exit_after = image.exit_after;
    let exit_code = image.exit_code;
    let shutdown = image.shutdown;
    let app = Arc::new(App {
        image,
        pod,
        log,
        requests: AtomicU64::new(0),
        open: AtomicUsize::new(0),
        last_request: watch::Sender::new(Instant::now()),
    });
    let mut accepting = JoinSet::new();
    for listener in listeners {
        accepting.spawn(accept(app.clone(), listener, orders.clone()));
    }
    let own_end = async {
        match exit_after {
            Some(after) => tokio::time::sleep(after).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = own_end => return Exit { code: exit_code },
        _ = orders.wait_for(|order| *order == Order::End) => {}
    }
    match shutdown {
        Shutdown::Immediate => {}
        Shutdown::Ignore => std::future::pending().await,
        Shutdown::Drain if Mutant::NoDraining.is_on() => {}
        Shutdown::Drain => app.drain().await,
    }
    Exit { code: 0 }
}

async fn accept(app: Arc<App>, listener: TcpListener, orders: watch::Receiver<Order>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, from)) = accepted {
                    connections.spawn(app.clone().serve(stream, from, orders.clone()));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

impl App {
    async fn serve(self: Arc<Self>, stream: TcpStream, from: SocketAddr, orders: watch::Receiver<Order>) {
        self.open.fetch_add(1, Ordering::Relaxed);
        self.last_request.send_replace(Instant::now());
        let service = service_fn(|request: Request<Incoming>| {
            let response = self.answer(&request, from, *orders.borrow());
            async move { Ok::<_, Infallible>(response) }
        });
        // The application does not care about a client that disconnects.
        drop(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
        self.open.fetch_sub(1, Ordering::Relaxed);
        self.last_request.send_replace(Instant::now());
    }

    fn answer(&self, request: &Request<Incoming>, from: SocketAddr, order: Order) -> Response<Full<Bytes>> {
        self.last_request.send_replace(Instant::now());
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let failed = self.image.fail_after_requests.is_some_and(|limit| number >= limit);
        let Answer { status, body } = self.image.failure.as_ref().filter(|_| failed).unwrap_or(&self.image.answer);
        self.log.write(format!("{} {} {status} {}", request.method(), request.uri(), from.ip()));
        let mut builder = Response::builder().status(*status).header("content-type", "text/plain");
        if order == Order::End {
            // A client that keeps this connection open should reconnect to another pod.
            builder = builder.header("connection", "close");
        }
        builder.body(Full::new(Bytes::from(body.replace("{pod}", &self.pod)))).unwrap_or_default()
    }

    /// Serves until no request has arrived for a while: some may still be on their way.
    async fn drain(&self) {
        loop {
            let quiet_at = *self.last_request.borrow() + QUIET;
            if Instant::now() >= quiet_at && self.open.load(Ordering::Relaxed) == 0 {
                return;
            }
            tokio::time::sleep_until(quiet_at.max(Instant::now() + QUIET / 10)).await;
        }
    }
}
