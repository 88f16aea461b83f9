//! Clients of a service: one request after the other, each on a connection of its own, all counted.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

const PAUSE: Duration = Duration::from_millis(5);
/// A request that takes longer has failed.
const LIMIT: Duration = Duration::from_secs(5);

/// What became of the requests.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Answers by the version that gave them: the third word of the answer.
    pub by_version: BTreeMap<String, usize>,
    /// What went wrong.
    pub failures: Vec<String>,
}

/// Requests that go on until this is ended.
pub struct Traffic {
    tally: Arc<Mutex<Tally>>,
    clients: JoinSet<()>,
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
                    let answer = match tokio::time::timeout(LIMIT, get(address)).await {
                        Ok(Ok(body)) => Ok(body.split(' ').nth(2).unwrap_or_default().to_owned()),
                        Ok(Err(error)) => Err(format!("{error:#}")),
                        Err(_) => Err("no answer in time".to_owned()),
                    };
                    {
                        let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
                        match answer {
                            Ok(version) => *tally.by_version.entry(version).or_default() += 1,
                            Err(failure) => tally.failures.push(failure),
                        }
                    }
                    tokio::time::sleep(PAUSE).await;
                }
            });
        }
        Self { tally, clients: tasks }
    }

    /// What became of the requests so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends it.
    pub async fn end(mut self) -> Tally {
        self.clients.shutdown().await;
        self.tally()
    }
}

/// One request on a connection of its own; an answer other than 200 is an error.
async fn get(address: SocketAddr) -> anyhow::Result<String> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let driver = tokio::spawn(connection);
    let request = Request::get("/").header("host", "kubia").header("connection", "close").body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    driver.abort();
    anyhow::ensure!(status.is_success(), "HTTP {status}");
    Ok(String::from_utf8_lossy(&body).into_owned())
}
