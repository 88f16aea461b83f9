//! Links between apiservers that can be cut: each connection from one to another goes through this process, which holds
//! back what one sends to the other, or breaks it off. Whoever is to be reached over links must be started with them.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};

use anyhow::Context;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// So much is read before it is passed on.
const BUFFER_BYTES: usize = 64 << 10;

/// What one apiserver sends to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Way {
    /// The index of the sender.
    pub from: usize,
    /// The index of the receiver.
    pub to: usize,
}

impl Way {
    fn back(self) -> Self {
        Self { from: self.to, to: self.from }
    }
}

/// How a way is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passage {
    /// All comes through.
    Open,
    /// Nothing comes through, and nobody is told: as when a cable is pulled out.
    Held,
    /// Connections are broken off, and new ones too.
    Reset,
}

/// All links between some apiservers.
pub struct Links {
    ways: BTreeMap<Way, watch::Sender<Passage>>,
    /// Where the connections of a way's sender are taken in.
    entrances: BTreeMap<Way, SocketAddr>,
}

impl Links {
    /// Links between apiservers, given by index and address (`127.64.48.1:6443`). They are there as long as the runtime is in
    /// which this is called.
    pub fn between(apiservers: &BTreeMap<usize, SocketAddr>) -> anyhow::Result<Self> {
        let indices = || apiservers.keys().copied();
        let pairs = indices().flat_map(|from| indices().filter(move |to| *to != from).map(move |to| Way { from, to }));
        let ways = pairs.map(|way| (way, watch::Sender::new(Passage::Open))).collect::<BTreeMap<_, _>>();
        let mut entrances = BTreeMap::new();
        for (way, passage) in &ways {
            let listener = StdListener::bind("127.0.0.1:0").context("listening for a link")?;
            listener.set_nonblocking(true)?;
            entrances.insert(*way, listener.local_addr()?);
            let back = ways[&way.back()].subscribe();
            tokio::spawn(accept(TcpListener::from_std(listener)?, apiservers[&way.to], (passage.subscribe(), back)));
        }
        Ok(Self { ways, entrances })
    }

    /// Where an apiserver is to connect to when it means another, by the other's index.
    pub(super) fn entrances(&self, from: usize) -> impl Iterator<Item = (usize, SocketAddr)> {
        self.entrances.iter().filter(move |(way, _)| way.from == from).map(|(way, entrance)| (way.to, *entrance))
    }

    /// From now on a way is like this. Nothing is done if there is no such way.
    pub fn set(&self, way: Way, passage: Passage) {
        if let Some(sender) = self.ways.get(&way) {
            sender.send_replace(passage);
        }
    }

    /// The same of all ways to and from an apiserver.
    pub fn set_all_of(&self, apiserver: usize, passage: Passage) {
        for way in self.ways.keys().filter(|way| way.from == apiserver || way.to == apiserver) {
            self.set(*way, passage);
        }
    }
}

type Passages = (watch::Receiver<Passage>, watch::Receiver<Passage>);

async fn accept(listener: TcpListener, target: SocketAddr, passages: Passages) {
    loop {
        // An error is of a connection that is gone already.
        if let Ok((stream, _)) = listener.accept().await {
            let (forth, back) = passages.clone();
            tokio::spawn(async move {
                // Both ends see for themselves when a connection breaks.
                drop(connect(stream, target, (forth, back)).await);
            });
        }
    }
}

async fn connect(near: TcpStream, target: SocketAddr, (mut forth, mut back): Passages) -> io::Result<()> {
    let broken = async |passage: &mut watch::Receiver<Passage>| {
        // A sender that is gone breaks off too.
        drop(passage.wait_for(|passage| *passage == Passage::Reset).await);
    };
    let (mut forth_broken, mut back_broken) = (forth.clone(), back.clone());
    let carried = async {
        open(&mut forth).await?;
        let far = TcpStream::connect(target).await?;
        far.set_nodelay(true)?;
        near.set_nodelay(true)?;
        let ((near_read, near_write), (far_read, far_write)) = (near.into_split(), far.into_split());
        // When one direction has ended, the other has nothing to add: TLS says goodbye before it closes.
        tokio::select! {
            ended = pass(near_read, far_write, &mut forth) => ended,
            ended = pass(far_read, near_write, &mut back) => ended,
        }
    };
    tokio::select! {
        ended = carried => ended,
        () = broken(&mut forth_broken) => Ok(()),
        () = broken(&mut back_broken) => Ok(()),
    }
}

/// Waits until something may come through.
async fn open(passage: &mut watch::Receiver<Passage>) -> io::Result<()> {
    passage.wait_for(|passage| *passage == Passage::Open).await.map_err(io::Error::other).map(drop)
}

async fn pass(
    mut read: impl AsyncRead + Unpin,
    mut write: impl AsyncWrite + Unpin,
    passage: &mut watch::Receiver<Passage>,
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let count = read.read(&mut buffer).await?;
        open(passage).await?;
        if count == 0 {
            return write.shutdown().await;
        }
        write.write_all(&buffer[..count]).await?;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn echo() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                tokio::spawn(async move {
                    let (mut read, mut write) = stream.split();
                    tokio::io::copy(&mut read, &mut write).await
                });
            }
        });
        address
    }

    #[tokio::test]
    async fn a_way_holds_back_lets_through_and_breaks_off() {
        let links = Links::between(&BTreeMap::from([(0, echo().await), (1, echo().await)])).unwrap();
        let (forth, back) = (Way { from: 0, to: 1 }, Way { from: 1, to: 0 });
        let (_, entrance) = links.entrances(0).next().unwrap();
        let mut stream = TcpStream::connect(entrance).await.unwrap();
        let mut answer = [0];
        stream.write_all(b"a").await.unwrap();
        stream.read_exact(&mut answer).await.unwrap();
        for way in [forth, back] {
            links.set(way, Passage::Held);
            stream.write_all(b"b").await.unwrap();
            let silent = tokio::time::timeout(Duration::from_millis(50), stream.read_exact(&mut answer)).await;
            assert!(silent.is_err(), "something came through {way:?}");
            links.set(way, Passage::Open);
            stream.read_exact(&mut answer).await.unwrap();
            assert_eq!(&answer, b"b");
        }
        links.set_all_of(1, Passage::Reset);
        assert!(matches!(stream.read(&mut answer).await, Ok(0) | Err(_)), "the connection is there still");
    }
}
