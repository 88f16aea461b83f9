//! The application in a container: it listens after a while, answers HTTP requests, and ends as its program does.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
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
use squall_daemon::carried::carrier;
use squall_faults::mutants::Mutant;
use squall_proto::squall::cri::v1 as cri;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::log::Log;
use super::order::Order;
use super::program::{Ending, Program, Server, Shell};
use super::site::{Asked, Page, Site};
use crate::catalogue::{Image, Shutdown};

/// A draining container ends when no request has arrived for this long.
const QUIET: Duration = Duration::from_millis(300);
const BACKLOG: u32 = 1_024;

/// How a container ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit {
    /// The exit code; 137 if it was killed.
    pub code: i32,
}

/// A container to run, and its place.
pub struct Container {
    /// Its image.
    pub image: Image,
    /// Its program.
    pub program: Program,
    /// The name of its pod.
    pub pod: String,
    /// The address of its pod.
    pub ip: IpAddr,
    /// How long a second takes in the cluster's time.
    pub second: Duration,
    /// Its variables.
    pub environment: Vec<cri::Variable>,
    /// Its log.
    pub log: Arc<Log>,
}

/// A server that answers requests.
struct App {
    image: Image,
    site: Site,
    pod: String,
    log: Arc<Log>,
    second: Duration,
    began: Instant,
    requests: AtomicU64,
    /// Requests that probes did not send.
    last_request: watch::Sender<Instant>,
    /// The exit code that a request asked for.
    told_to_exit: watch::Sender<Option<i32>>,
}

/// Opens a port of an address. If it is taken or forbidden, another port carries it.
pub fn open(address: SocketAddr) -> io::Result<TcpSocket> {
    let bind = |address| -> io::Result<TcpSocket> {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        Ok(socket)
    };
    match (bind(address), carrier(address)) {
        (Err(error), Some(carrier)) if error.kind() == io::ErrorKind::PermissionDenied => bind(carrier),
        (Err(error), _) if error.kind() == io::ErrorKind::AddrInUse => bind(SocketAddr::new(address.ip(), 0)),
        (result, _) => result,
    }
}

/// Runs a container until it ends.
pub async fn run(container: Container, mut orders: watch::Receiver<Order>) -> Exit {
    let Container { image, program, pod, ip, second, environment, log } = container;
    let server = match program {
        Program::Server(server) => server,
        Program::Pause => {
            log.write("Paused".to_owned());
            drop(orders.wait_for(|order| *order == Order::End).await);
            return Exit { code: 0 };
        }
        Program::Script(script, server) => {
            let shell = Shell { second, log: &log, environment: &environment };
            let code = script.run(&shell, &mut orders).await;
            match server.filter(|_| code == 0 && script.ending() == Ending::Unknown) {
                Some(server) => server,
                None => return Exit { code },
            }
        }
    };
    let app = Arc::new(App::new(image, server.site, pod, log, second));
    let own_end = async {
        match app.image.exit_after {
            Some(after) => tokio::time::sleep(after).await,
            None => std::future::pending().await,
        }
    };
    let serving = app.clone().serve(&server, ip, orders.clone());
    let mut told_to_exit = app.told_to_exit.subscribe();
    let ended = async {
        tokio::select! {
            () = own_end => return Exit { code: app.image.exit_code },
            Ok(code) = told_to_exit.wait_for(Option::is_some) => return Exit { code: code.unwrap_or(0) },
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
    fn new(image: Image, site: Site, pod: String, log: Arc<Log>, second: Duration) -> Self {
        let now = Instant::now();
        Self {
            image,
            site,
            pod,
            log,
            second,
            began: now,
            requests: AtomicU64::new(0),
            last_request: watch::Sender::new(now),
            told_to_exit: watch::Sender::new(None),
        }
    }

    /// Serves for ever, once the application has started. It ends only if it cannot listen at all.
    async fn serve(self: Arc<Self>, server: &Server, ip: IpAddr, orders: watch::Receiver<Order>) -> Exit {
        tokio::time::sleep(self.image.start_time).await;
        let mut accepting = JoinSet::new();
        for port in &server.ports {
            let address = SocketAddr::new(ip, *port);
            let listening = open(address).and_then(|socket| socket.listen(BACKLOG));
            match listening.and_then(|listener| Ok((listener.local_addr()?, listener))) {
                Ok((at, listener)) => {
                    self.log.write(format!("{} listens on {at}", self.image.name));
                    accepting.spawn(accept(self.clone(), listener, orders.clone()));
                }
                Err(error) => {
                    self.log.write(format!("listening on {address}: {error}"));
                    return Exit { code: 1 };
                }
            }
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
        let client = from.ip().to_string();
        let Page { status, body, exit } = self.site.answer(
            &self.image,
            Asked {
                path: request.uri().path(),
                query: request.uri().query().unwrap_or_default(),
                number: self.requests.fetch_add(1, Ordering::Relaxed),
                client: &client,
                pod: &self.pod,
                age: cluster_time(self.began.elapsed(), self.second),
            },
        );
        self.log.write(format!("{} {} {status} {client}", request.method(), request.uri()));
        if exit.is_some() {
            self.told_to_exit.send_replace(exit);
        }
        let mut builder = Response::builder().status(status).header("content-type", "text/plain");
        if order == Order::End {
            // A client that keeps this connection open should reconnect to another pod.
            builder = builder.header("connection", "close");
        }
        builder.body(Full::new(Bytes::from(body))).unwrap_or_default()
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

/// Converts a time of the machine to one of the cluster.
fn cluster_time(elapsed: Duration, second: Duration) -> Duration {
    elapsed.checked_div(u32::try_from(second.as_micros()).unwrap_or(0)).unwrap_or_default().saturating_mul(1_000_000)
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
        let image = Catalogue::parse(&text).unwrap().find("a").unwrap();
        Arc::new(App::new(image, Site::Image, "p".to_owned(), Arc::new(Log::new()), Duration::from_secs(1)))
    }

    fn request(agent: &str) -> Request<()> {
        Request::get("/").header(USER_AGENT, agent).body(()).unwrap()
    }

    #[test]
    fn times_of_the_cluster_go_by_its_seconds() {
        let of = |millis| cluster_time(Duration::from_millis(1_500), Duration::from_millis(millis));
        assert_eq!((of(1_000), of(100)), (Duration::from_millis(1_500), Duration::from_secs(15)));
        assert_eq!(of(0), Duration::ZERO);
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
        for (shutdown, ends_after) in [("immediate", Some(Duration::ZERO)), ("drain", Some(QUIET)), ("ignore", None)] {
            let app = app(shutdown);
            let orders = watch::Sender::new(Order::Run);
            let container = Container {
                image: app.image.clone(),
                program: Program::Server(Server { ports: vec![0], site: Site::Image }),
                pod: "p".to_owned(),
                ip: [127, 0, 0, 1].into(),
                second: Duration::from_secs(1),
                environment: Vec::new(),
                log: app.log.clone(),
            };
            let run = tokio::spawn(run(container, orders.subscribe()));
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
