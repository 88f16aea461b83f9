//! Measures watch fan-out: one client updates an object without pause, many clients watch it, and each arrival is timed
//! from the moment of the update.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use squall_api::core::v1::ConfigMap;
use squall_api::{Kind, Object};
use squall_client::{Client, Event, ResourceRef, Selection, Watch, WriteOptions, manifest};

use crate::load::{Counts, Figures};
use crate::store::{NAMESPACE, Options, object};

/// The key for the time of the update, in microseconds since the start.
const SENT: &str = "sent";
/// The key for the run: the object may be left over from an earlier run.
const ROUND: &str = "round";

/// Runs the benchmark. An operation is an event that arrived at one watcher.
pub async fn run(
    options: &Options,
    connections: &[Client],
    value: &str,
    begun: impl AsyncFnOnce(),
) -> anyhow::Result<Figures> {
    let clock = Clock::start(options.load.warm_up, options.load.duration);
    let counts = RefCell::new(Counts::new()?);
    let watchers = (0..options.load.clients).map(|number| {
        let client = connections[number % connections.len()].clone();
        watch(client, &clock, &counts)
    });
    let mark = async {
        tokio::time::sleep_until(clock.begin.into()).await;
        begun().await;
        Ok(())
    };
    tokio::try_join!(try_join_all(watchers), change(&connections[0], value, &clock), mark)?;
    Ok(counts.into_inner().figures(clock.begin.elapsed().as_secs_f64()))
}

struct Clock {
    round: String,
    zero: Instant,
    begin: Instant,
    end: Instant,
}

impl Clock {
    fn start(warm_up: Duration, duration: Duration) -> Self {
        let zero = Instant::now();
        Self { round: fastrand::u64(..).to_string(), zero, begin: zero + warm_up, end: zero + warm_up + duration }
    }

    /// Returns when the object was updated, if that was after the warm-up.
    fn sent(&self, object: Object) -> Option<Instant> {
        let map = ConfigMap::try_from(object).ok()?;
        if map.data.get(ROUND) != Some(&self.round) {
            return None;
        }
        let sent = self.zero + Duration::from_micros(map.data.get(SENT)?.parse().ok()?);
        (sent >= self.begin).then_some(sent)
    }
}

fn watched() -> Selection {
    Selection {
        kind: Kind::ConfigMap,
        namespace: NAMESPACE.to_owned(),
        labels: String::new(),
        fields: format!("metadata.name={}", object(0, "").metadata.name),
    }
}

async fn watch(client: Client, clock: &Clock, counts: &RefCell<Counts>) -> anyhow::Result<()> {
    let mut watch = Watch::new(client, watched());
    while let Ok(event) = tokio::time::timeout_at(clock.end.into(), watch.next()).await {
        if let Event::Applied(object, _) = event?
            && let Some(sent) = clock.sent(*object)
        {
            counts.borrow_mut().note(Ok(()), sent.elapsed());
        }
    }
    Ok(())
}

async fn change(client: &Client, value: &str, clock: &Clock) -> anyhow::Result<()> {
    let mut map = object(0, value);
    let one = ResourceRef::object(Kind::ConfigMap, NAMESPACE, &map.metadata.name);
    map.data.insert(ROUND.to_owned(), clock.round.clone());
    while Instant::now() < clock.end {
        map.data.insert(SENT.to_owned(), clock.zero.elapsed().as_micros().to_string());
        client.update(&one, manifest(&map.clone().into()), WriteOptions::default()).await?;
    }
    Ok(())
}
