//! Clients of a service: one request after the other, each on a connection of its own, all counted.

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
/// A request that takes longer has failed.
const LIMIT: Duration = Duration::from_secs(5);
/// So many failures are kept with their reasons; the others are only counted.
const KEPT_FAILURES: usize = 20;

/// What became of the requests.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Answers by the version that gave them: the third word of the answer.
    pub by_version: BTreeMap<String, usize>,
    /// How many requests failed.
    pub failed: usize,
    /// What went wrong with the first of them.
    pub failures: Vec<String>,
    /// The longest wait for an answer.
    pub slowest: Duration,
}

impl Tally {
    /// How many requests were answered.
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

/// The version that an answer is of: its third word.
#[must_use]
pub fn version_of(answer: &str) -> &str {
    answer.split(' ').nth(2).unwrap_or_default()
}

/// One request, and what became of it.
#[derive(Debug, Clone)]
pub struct Asked {
    /// When it began.
    pub at: Instant,
    /// How long it took.
    pub took: Duration,
    /// The answer, or what went wrong.
    pub answer: Result<String, String>,
}

/// Requests that go on until this is ended.
pub struct Traffic {
    book: Arc<Mutex<Book>>,
    clients: JoinSet<()>,
}

#[derive(Default)]
struct Book {
    tally: Tally,
    /// Every request, if they are kept.
    asked: Option<Vec<Asked>>,
    /// No more are begun.
    is_over: bool,
}

fn lock(book: &Mutex<Book>) -> MutexGuard<'_, Book> {
    book.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Traffic {
    /// So many clients of an address.
    #[must_use]
    pub fn start(address: SocketAddr, clients: usize) -> Self {
        Self::begin(address, clients, Book::default())
    }

    /// The same; every request is kept.
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

    /// What became of the requests so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        lock(&self.book).tally.clone()
    }

    /// Ends it, when the requests that are under way have been answered or have failed.
    pub async fn end(self) -> Tally {
        self.end_with_requests().await.0
    }

    /// The same, with every request that was kept.
    pub async fn end_with_requests(mut self) -> (Tally, Vec<Asked>) {
        lock(&self.book).is_over = true;
        // Each has a limit of its own.
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

/// One request on a connection of its own; an answer other than 200 to 299 is an error.
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
