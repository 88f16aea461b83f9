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
                *self.by_version.entry(body.split(' ').nth(2).unwrap_or_default().to_owned()).or_default() += 1;
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

/// Requests that go on until this is ended.
pub struct Traffic {
    tally: Arc<Mutex<Tally>>,
    clients: JoinSet<()>,
}

fn lock(tally: &Mutex<Tally>) -> MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Traffic {
    /// So many clients of an address.
    #[must_use]
    pub fn start(address: SocketAddr, clients: usize) -> Self {
        let tally = Arc::new(Mutex::new(Tally::default()));
        let mut tasks = JoinSet::new();
        for _ in 0..clients {
            let tally = tally.clone();
            tasks.spawn(async move {
                loop {
                    let start = Instant::now();
                    let answer = get(address).await;
                    lock(&tally).count(answer, start.elapsed());
                    tokio::time::sleep(PAUSE).await;
                }
            });
        }
        Self { tally, clients: tasks }
    }

    /// What became of the requests so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        lock(&self.tally).clone()
    }

    /// Ends it. A request that is under way is not counted.
    pub async fn end(mut self) -> Tally {
        self.clients.shutdown().await;
        self.tally()
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
        anyhow::ensure!(status.is_success(), "HTTP {status}");
        Ok(String::from_utf8_lossy(&body).trim_end().to_owned())
    };
    match tokio::time::timeout(LIMIT, exchange).await {
        Ok(answer) => answer,
        Err(_) => anyhow::bail!("no answer within {LIMIT:?}"),
    }
}
