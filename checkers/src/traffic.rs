//! Clients of a service: each sends one request after the other, each on its own connection, and all are counted.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

const PAUSE: Duration = Duration::from_millis(5);
/// The timeout of a request.
const LIMIT: Duration = Duration::from_secs(5);
/// The number of failures whose errors are kept; the others are only counted.
const KEPT_FAILURES: usize = 20;

/// The results of the requests.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// The number of answers by version, which is the third word of the answer.
    pub by_version: BTreeMap<String, usize>,
    /// The number of failed requests.
    pub failed: usize,
    /// The errors of the first failed requests.
    pub failures: Vec<String>,
    /// The longest time until an answer.
    pub slowest: Duration,
}

impl Tally {
    /// Returns the number of answered requests.
    #[must_use]
    pub fn answered(&self) -> usize {
        self.by_version.values().sum()
    }

    fn count(&mut self, answer: anyhow::Result<String>, took: Duration) {
        match answer {
            Ok(body) => {
                *self.by_version.entry(version_of(&body).to_owned()).or_default() += 1;
                self.slowest = self.slowest.max(took);
            }
            Err(error) => {
                self.failed += 1;
                if self.failures.len() < KEPT_FAILURES {
                    self.failures.push(format!("{error:#}"));
                }
            }
        }
    }
}

/// Returns the version that gave an answer: its third word.
#[must_use]
pub fn version_of(answer: &str) -> &str {
    answer.split(' ').nth(2).unwrap_or_default()
}

/// One request and its result.
#[derive(Debug, Clone)]
pub struct Asked {
    /// When the request began.
    pub at: Instant,
    /// The time until the answer or the error.
    pub took: Duration,
    /// The answer or the error.
    pub answer: Result<String, String>,
}

/// Clients that send requests until they are stopped.
pub struct Traffic {
    book: Arc<Mutex<Book>>,
    clients: JoinSet<()>,
}

#[derive(Default)]
struct Book {
    tally: Tally,
    /// Every request, if they are recorded.
    asked: Option<Vec<Asked>>,
    /// No more requests are started.
    is_over: bool,
}

fn lock(book: &Mutex<Book>) -> MutexGuard<'_, Book> {
    book.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Traffic {
    /// Starts this many clients of an address.
    #[must_use]
    pub fn start(address: SocketAddr, clients: usize) -> Self {
        Self::begin(address, clients, Book::default())
    }

    /// Like `start`, and records every request.
    #[must_use]
    pub fn recorded(address: SocketAddr, clients: usize) -> Self {
        Self::begin(address, clients, Book { asked: Some(Vec::new()), ..Book::default() })
    }

    fn begin(address: SocketAddr, clients: usize, book: Book) -> Self {
        let book = Arc::new(Mutex::new(book));
        let mut tasks = JoinSet::new();
        for _ in 0..clients {
            let book = book.clone();
            tasks.spawn(async move {
                while !lock(&book).is_over {
                    let at = Instant::now();
                    let answer = get(address).await;
                    lock(&book).note(at, answer);
                    tokio::time::sleep(PAUSE).await;
                }
            });
        }
        Self { book, clients: tasks }
    }

    /// Returns the results so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        lock(&self.book).tally.clone()
    }

    /// Stops the clients after their current requests.
    pub async fn end(self) -> Tally {
        self.end_with_requests().await.0
    }

    /// Like `end`, and returns every recorded request.
    pub async fn end_with_requests(mut self) -> (Tally, Vec<Asked>) {
        lock(&self.book).is_over = true;
        // Each request has its own timeout.
        while self.clients.join_next().await.is_some() {}
        let mut book = lock(&self.book);
        (book.tally.clone(), book.asked.take().unwrap_or_default())
    }
}

impl Book {
    fn note(&mut self, at: Instant, answer: anyhow::Result<String>) {
        let took = at.elapsed();
        if let Some(asked) = &mut self.asked {
            let answer = answer.as_ref().map(Clone::clone).map_err(|error| format!("{error:#}"));
            asked.push(Asked { at, took, answer });
        }
        self.tally.count(answer, took);
    }
}

/// Sends one request on its own connection; any status other than 200 to 299 is an error.
pub async fn get(address: SocketAddr) -> anyhow::Result<String> {
    let exchange = async {
        let stream = TcpStream::connect(address).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let driver = tokio::spawn(connection);
        let request =
            Request::get("/").header("host", "kubia").header("connection", "close").body(Empty::<Bytes>::new())?;
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        driver.abort();
        let body = String::from_utf8_lossy(&body).trim_end().to_owned();
        anyhow::ensure!(status.is_success(), "HTTP {status}: {}", body.lines().next().unwrap_or_default());
        Ok(body)
    };
    match tokio::time::timeout(LIMIT, exchange).await {
        Ok(answer) => answer,
        Err(_) => anyhow::bail!("no answer within {LIMIT:?}"),
    }
}
