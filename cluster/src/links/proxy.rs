//! Accepts connections and carries their bytes, as the faults in force allow.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use squall_faults::{Fault, InForce, LinkFault, Passage, Receipt, Target, What};
use tokio::net::{TcpListener, TcpStream};

use super::condition::{Condition, concerns, ends, is_way};
use super::pass::Lane;
use super::way::{End, Way};

/// Delay after a connection could not be accepted.
const RETRY: Duration = Duration::from_millis(20);

/// All links of a cluster.
#[derive(Default)]
pub struct Proxy(Mutex<State>);

#[derive(Default)]
struct State {
    lanes: BTreeMap<Way, Arc<Lane>>,
    /// The directions whose sender has an address to connect to.
    entrances: BTreeSet<Way>,
    /// The ends that have a gateway to nodes.
    gateways: BTreeSet<End>,
    faults: BTreeMap<String, Entry>,
}

struct Entry {
    fault: Fault,
    link: LinkFault,
    /// The counters when it came into force.
    before: Done,
}

/// Counters of what faults have done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Done {
    held: u64,
    delayed: u64,
    waiting: u64,
    broken: u64,
}

impl Done {
    fn since(self, before: Self) -> Self {
        Self {
            held: self.held - before.held,
            delayed: self.delayed - before.delayed,
            waiting: self.waiting - before.waiting,
            broken: self.broken - before.broken,
        }
    }

    /// Keeps the counters that a fault of this kind changes; the others belong to other faults.
    fn of(self, link: &LinkFault) -> Self {
        match link.passage() {
            Passage::Open => Self { delayed: self.delayed, ..Self::default() },
            Passage::Held => Self { held: self.held, waiting: self.waiting, ..Self::default() },
            Passage::Reset => Self { broken: self.broken, ..Self::default() },
        }
    }

    fn receipt(self) -> Receipt {
        let parts = [
            (self.held, "bytes held back"),
            (self.waiting, "connections kept waiting"),
            (self.broken, "connections broken off"),
            (self.delayed, "bytes delayed"),
        ];
        let said: Vec<String> =
            parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
        let text = if said.is_empty() { "nothing was sent".to_owned() } else { said.join(", ") };
        Receipt { count: parts.iter().map(|(count, _)| count).sum(), text }
    }
}

impl Proxy {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Accepts the connections that one end opens to an apiserver, as long as the async runtime lives.
    pub fn connect(&self, way: Way, entrance: SocketAddr, target: SocketAddr) -> anyhow::Result<()> {
        let mut state = self.state();
        if state.entrances.contains(&way) {
            return Ok(());
        }
        let lanes = (state.lane(way), state.lane(way.back()));
        take_in(entrance, move |stream| {
            let lanes = lanes.clone();
            async move { carry(stream, target, &lanes).await }
        })?;
        state.entrances.insert(way);
        state.apply();
        Ok(())
    }
}

impl Proxy {
    pub(super) fn has_gateway(&self, from: End) -> bool {
        self.state().gateways.contains(&from)
    }

    pub(super) fn note_gateway(&self, from: End) {
        self.state().gateways.insert(from);
    }

    /// Returns the lanes of both directions, in the condition that results from the faults in force.
    pub(super) fn lanes(&self, way: Way) -> Lanes {
        let mut state = self.state();
        let known = state.lanes.len();
        let lanes = (state.lane(way), state.lane(way.back()));
        if state.lanes.len() > known {
            state.apply();
        }
        lanes
    }
}

impl State {
    fn lane(&mut self, way: Way) -> Arc<Lane> {
        self.lanes.entry(way).or_insert_with(|| Arc::new(Lane::new())).clone()
    }

    /// Sets every lane to the condition that results from the faults in force.
    fn apply(&self) {
        for (way, lane) in &self.lanes {
            let concerned = self.faults.values().filter(|entry| entry.concerns(*way));
            lane.set(concerned.fold(Condition::WHOLE, |condition, entry| condition.and(&entry.link)));
        }
    }

    fn done(&self, entry: &Entry) -> Done {
        let concerned = || self.lanes.iter().filter(|(way, _)| entry.concerns(**way)).map(|(_, lane)| lane);
        let sum = |part: fn(&Lane) -> &AtomicU64| concerned().map(|lane| part(lane).load(Ordering::Relaxed)).sum();
        Done {
            held: sum(|lane| &lane.held),
            delayed: sum(|lane| &lane.delayed),
            waiting: sum(|lane| &lane.waiting),
            broken: sum(|lane| &lane.broken),
        }
    }

    fn receipt(&self, entry: &Entry) -> Receipt {
        self.done(entry).since(entry.before).of(&entry.link).receipt()
    }

    fn check(&self, link: &LinkFault) -> Result<(), String> {
        let (from, to) = ends(link)?;
        if let (Some(from), Some(to)) = (from, to)
            && !is_way(Way { from, to })
        {
            return Err(format!(
                "there is no link between {from} and {to}: one of them must be an apiserver, or both must be nodes"
            ));
        }
        let is_there = |end: End| self.lanes.keys().any(|way| way.from == end);
        match [from, to].into_iter().flatten().find(|end| !is_there(*end)) {
            Some(missing) => Err(format!("{missing} has no links in this cluster")),
            None => Ok(()),
        }
    }
}

impl Entry {
    fn concerns(&self, way: Way) -> bool {
        ends(&self.link).is_ok_and(|ends| concerns(&self.link, ends, way))
    }
}

impl Target for Proxy {
    fn inject(&self, fault: Fault) -> Result<(), String> {
        let Some(What::Link(link)) = fault.what.clone() else {
            return Err("the link proxy accepts only link faults".to_owned());
        };
        let mut state = self.state();
        state.check(&link)?;
        let mut entry = Entry { fault, link, before: Done::default() };
        entry.before = state.done(&entry);
        state.faults.insert(entry.fault.name.clone(), entry);
        state.apply();
        Ok(())
    }

    fn heal(&self, name: &str) -> Option<Receipt> {
        let mut state = self.state();
        let entry = state.faults.remove(name)?;
        state.apply();
        Some(state.receipt(&entry))
    }

    fn list(&self) -> Vec<InForce> {
        let state = self.state();
        let in_force =
            |entry: &Entry| InForce { fault: Some(entry.fault.clone()), receipt: Some(state.receipt(entry)) };
        state.faults.values().map(in_force).collect()
    }
}

/// The lanes of a connection: forth and back.
pub(super) type Lanes = (Arc<Lane>, Arc<Lane>);

/// Accepts all connections to an address, as long as the async runtime lives.
pub(super) fn take_in<F>(
    entrance: SocketAddr,
    mut serve: impl FnMut(TcpStream) -> F + Send + 'static,
) -> anyhow::Result<()>
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let listener = std::net::TcpListener::bind(entrance).with_context(|| format!("listening on {entrance}"))?;
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    tokio::spawn(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                // The connection is already gone, or there are no free descriptors, which may last a while.
                tokio::time::sleep(RETRY).await;
                continue;
            };
            let serving = serve(stream);
            // Both ends notice a broken connection themselves.
            tokio::spawn(async move { drop(serving.await) });
        }
    });
    Ok(())
}

async fn carry(near: TcpStream, target: SocketAddr, (forth, back): &Lanes) -> io::Result<()> {
    let carried = async {
        forth.open(&forth.waiting, 1).await;
        let far = TcpStream::connect(target).await?;
        far.set_nodelay(true)?;
        near.set_nodelay(true)?;
        let ((near_read, near_write), (far_read, far_write)) = (near.into_split(), far.into_split());
        // When one direction has ended, the other has nothing to add: TLS sends its closing message before it closes.
        tokio::select! {
            ended = forth.pass(near_read, far_write) => ended,
            ended = back.pass(far_read, near_write) => ended,
        }
    };
    tokio::select! {
        ended = carried => ended,
        () = forth.broken_off() => Ok(()),
        () = back.broken_off() => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

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

    fn cut(from: &str, to: &str, passage: Passage) -> Fault {
        let link = LinkFault {
            from: from.to_owned(),
            to: to.to_owned(),
            passage: passage.into(),
            one_way: true,
            ..LinkFault::default()
        };
        Fault { name: "cut".to_owned(), what: Some(What::Link(link)) }
    }

    #[tokio::test]
    async fn a_link_holds_back_lets_through_and_breaks_off_and_says_so() {
        let (proxy, target) = (Proxy::default(), echo().await);
        let way = Way { from: "client-0".parse().unwrap(), to: "apiserver-0".parse().unwrap() };
        // An address on which nobody listens yet.
        let entrance = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        proxy.connect(way, entrance, target).unwrap();
        let mut stream = TcpStream::connect(entrance).await.unwrap();
        let mut answer = [0];
        stream.write_all(b"a").await.unwrap();
        stream.read_exact(&mut answer).await.unwrap();
        for (from, to) in [("client-0", "apiserver-0"), ("apiserver-0", "client-0")] {
            proxy.inject(cut(from, to, Passage::Held)).unwrap();
            stream.write_all(b"b").await.unwrap();
            let silent = tokio::time::timeout(Duration::from_millis(50), stream.read_exact(&mut answer)).await;
            assert!(silent.is_err(), "bytes came through from {from} to {to}");
            assert_eq!(proxy.heal("cut").unwrap().text, "1 bytes held back");
            stream.read_exact(&mut answer).await.unwrap();
            assert_eq!(&answer, b"b");
        }
        proxy.inject(cut("client-0", "", Passage::Reset)).unwrap();
        assert!(matches!(stream.read(&mut answer).await, Ok(0) | Err(_)), "the connection is still open");
        assert_eq!(proxy.list()[0].receipt.as_ref().unwrap().text, "1 connections broken off");
        for (from, to) in [("client-0", "client-1"), ("kubelet-0", ""), ("moon", "")] {
            assert!(proxy.inject(cut(from, to, Passage::Held)).is_err(), "{from} {to}");
        }
    }

    #[tokio::test]
    async fn what_is_delayed_or_throttled_comes_later() {
        let (proxy, target) = (Proxy::default(), echo().await);
        let way = Way { from: "kubelet-0".parse().unwrap(), to: "apiserver-0".parse().unwrap() };
        let entrance = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        proxy.connect(way, entrance, target).unwrap();
        let mut stream = TcpStream::connect(entrance).await.unwrap();
        let mut answer = [0; 10];
        for (delay_ms, bytes_per_second) in [(40, 0), (0, 250)] {
            let link = LinkFault {
                from: "kubelet-0".to_owned(),
                delay_ms,
                bytes_per_second,
                one_way: true,
                ..LinkFault::default()
            };
            proxy.inject(Fault { name: "slow".to_owned(), what: Some(What::Link(link)) }).unwrap();
            let start = std::time::Instant::now();
            stream.write_all(b"0123456789").await.unwrap();
            stream.read_exact(&mut answer).await.unwrap();
            assert!(start.elapsed() >= Duration::from_millis(40), "only {:?} late", start.elapsed());
            assert_eq!(proxy.heal("slow").unwrap().text, "10 bytes delayed");
        }
    }
}
