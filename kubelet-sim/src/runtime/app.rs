//! The application in a container: it listens after a while, answers HTTP requests, and ends as its image specifies.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::USER_AGENT;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use squall_api::timing::later;
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
    /// Requests that probes did not send.
    last_request: watch::Sender<Instant>,
}

/// Listens on the addresses of a container.
fn listen(addresses: &[SocketAddr]) -> std::io::Result<Vec<TcpListener>> {
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
    addresses: Vec<SocketAddr>,
    mut orders: watch::Receiver<Order>,
) -> Exit {
    let app = Arc::new(App {
        image,
        pod,
        log,
        requests: AtomicU64::new(0),
        last_request: watch::Sender::new(Instant::now()),
    });
    let own_end = async {
        match app.image.exit_after {
            Some(after) => tokio::time::sleep(after).await,
            None => std::future::pending().await,
        }
    };
    let serving = app.clone().serve(&addresses, orders.clone());
    let ended = async {
        tokio::select! {
            () = own_end => return Exit { code: app.image.exit_code },
            _ = orders.wait_for(|order| *order == Order::End) => {}
        }
        match app.image.shutdown {
            Shutdown::Immediate => {}
            Shutdown::Ignore => std::future::pending().await,
            Shutdown::Drain if Mutant::NoDraining.is_on() => {}
            Shutdown::Drain => app.drain().await,
        }
        Exit { code: 0 }
    };
    tokio::select! {
        exit = ended => exit,
        exit = serving => exit,
    }
}

async fn accept(app: Arc<App>, listener: TcpListener, orders: watch::Receiver<Order>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, from)) = accepted {
                    connections.spawn(app.clone().answer_all(stream, from, orders.clone()));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

impl App {
    /// Serves for ever, once the application has started. It ends only if it cannot listen.
    async fn serve(self: Arc<Self>, addresses: &[SocketAddr], orders: watch::Receiver<Order>) -> Exit {
        tokio::time::sleep(self.image.start_time).await;
        let text = addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let listeners = match listen(addresses) {
            Ok(listeners) => listeners,
            Err(error) => {
                self.log.write(format!("listening on {text}: {error}"));
                return Exit { code: 1 };
            }
        };
        self.log.write(format!("{} listens on {text}", self.image.name));
        let mut accepting = JoinSet::new();
        for listener in listeners {
            accepting.spawn(accept(self.clone(), listener, orders.clone()));
        }
        std::future::pending().await
    }

    async fn answer_all(self: Arc<Self>, stream: TcpStream, from: SocketAddr, orders: watch::Receiver<Order>) {
        let service = service_fn(|request: Request<Incoming>| {
            let response = self.answer(&request, from, *orders.borrow());
            async move { Ok::<_, Infallible>(response) }
        });
        // The application does not care about a client that disconnects.
        drop(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
    }

    fn answer(&self, request: &Request<Incoming>, from: SocketAddr, order: Order) -> Response<Full<Bytes>> {
        if !is_probe(request) {
            self.last_request.send_replace(Instant::now());
        }
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

    /// Serves until no request has arrived for a while: some may still be on their way. Probes do not count: they go on
    /// until the container has ended.
    async fn drain(&self) {
        let asked_at = Instant::now();
        loop {
            let quiet_at = later(asked_at.max(*self.last_request.borrow()), QUIET);
            if Instant::now() >= quiet_at {
                return;
            }
            tokio::time::sleep_until(quiet_at).await;
        }
    }
}

/// Whether a kubelet's probe sent a request (Kubernetes: `kube-probe/<version>` is its user agent).
fn is_probe<T>(request: &Request<T>) -> bool {
    let agent = request.headers().get(USER_AGENT);
    agent.is_some_and(|agent| agent.as_bytes().starts_with(b"kube-probe/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Catalogue;

    fn app(shutdown: &str) -> Arc<App> {
        let text =
            format!("images: [{{name: a, answer: {{status: 200, body: x}}, shutdown: {shutdown}, startTime: 5s}}]");
        let image = Catalogue::parse(&text).unwrap().find("a").unwrap().clone();
        let last_request = watch::Sender::new(Instant::now());
        Arc::new(App {
            image,
            pod: "p".to_owned(),
            log: Arc::new(Log::new()),
            requests: AtomicU64::new(0),
            last_request,
        })
    }

    fn request(agent: &str) -> Request<()> {
        Request::get("/").header(USER_AGENT, agent).body(()).unwrap()
    }

    #[test]
    fn only_requests_of_probes_are_probes() {
        let agents = ["kube-probe/1.36", "kube-probe/1.29+", "curl/8.5.0", "my-kube-probe/1"];
        assert_eq!(agents.map(|agent| is_probe(&request(agent))), [true, true, false, false]);
        assert!(!is_probe(&Request::get("/").body(()).unwrap()));
    }

    #[tokio::test(start_paused = true)]
    async fn it_drains_until_requests_stop() {
        let app = app("drain");
        let start = Instant::now();
        let requests = async {
            for _ in 0..5 {
                tokio::time::sleep(QUIET / 2).await;
                app.last_request.send_replace(Instant::now());
            }
        };
        tokio::join!(app.drain(), requests);
        assert_eq!(start.elapsed(), QUIET / 2 * 5 + QUIET);
    }

    #[tokio::test(start_paused = true)]
    async fn it_runs_before_it_listens_and_ends_when_it_is_told_to() {
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        for (shutdown, ends_after) in [("immediate", Some(Duration::ZERO)), ("drain", Some(QUIET)), ("ignore", None)] {
            let app = app(shutdown);
            let orders = watch::Sender::new(Order::Run);
            let run = run(app.image.clone(), "p".to_owned(), app.log.clone(), vec![address], orders.subscribe());
            let run = tokio::spawn(run);
            tokio::time::sleep(Duration::from_secs(4)).await;
            assert_eq!(app.log.after(0).0.len(), 0, "it does not listen yet");
            tokio::time::sleep(Duration::from_secs(2)).await;
            assert_eq!(app.log.after(0).0.len(), 1, "it listens");
            orders.send_replace(Order::End);
            let asked = Instant::now();
            let ended = tokio::time::timeout(Duration::from_secs(60), run).await;
            match ends_after {
                Some(after) => {
                    assert_eq!(ended.unwrap().unwrap(), Exit { code: 0 });
                    assert!(asked.elapsed() >= after && asked.elapsed() < after + QUIET, "{shutdown}");
                }
                None => assert!(ended.is_err(), "it must be killed"),
            }
        }
    }
}
