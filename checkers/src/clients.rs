//! The clients of a soak test: writers with their own keys, readers of any key, watches of all keys.

use std::cell::RefCell;
use std::time::Duration;

use anyhow::Context;
use futures_util::future::join_all;
use squall_api::core::v1::ConfigMap;
use squall_api::meta::parse_resource_version;
use squall_api::{Kind, Object};
use squall_client::{Api, Client, Error, Event, Reason, Selection, Watch};
use tokio::sync::watch;

use crate::ledger::{Ledger, Segment};
use crate::marker::mark;

/// The number of keys of each writer.
pub const KEYS_OF_A_WRITER: usize = 4;
/// How long the watches get to deliver the last writes: longer than the interval of bookmarks.
const SETTLE: Duration = Duration::from_secs(6);
const NAMESPACE: &str = "default";
const VALUE: &str = "value";
/// The pause between two reads of one reader.
const READ_PAUSE: Duration = Duration::from_millis(2);
/// The interval of looks at the progress of watches.
const LOOK: Duration = Duration::from_millis(20);
/// The pause before a read or a mark is retried.
const RETRY: Duration = Duration::from_millis(50);

fn name(key: usize) -> String {
    format!("soak-{key:06}")
}

fn key_of(name: &str) -> Option<usize> {
    name.strip_prefix("soak-")?.parse().ok()
}

fn map(key: usize, value: u64) -> ConfigMap {
    let mut map = ConfigMap::default();
    map.metadata.name = name(key);
    map.data.insert(VALUE.to_owned(), value.to_string());
    map
}

fn value_of(map: &ConfigMap) -> u64 {
    map.data.get(VALUE).and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn revision_of(map: &ConfigMap) -> anyhow::Result<u64> {
    Ok(parse_resource_version(&map.metadata.resource_version)?)
}

/// Returns the writers of a soak test.
pub fn writers(client: &Client, count: usize) -> impl Iterator<Item = Writer> {
    let connections = client.endpoints().len();
    (0..count).map(move |number| Writer {
        maps: Api::new(client.beginning_with(number % connections), NAMESPACE),
        first_key: number * KEYS_OF_A_WRITER,
    })
}

/// The only client that writes its keys.
pub struct Writer {
    maps: Api<ConfigMap>,
    first_key: usize,
}

/// The last known state of a key.
#[derive(Debug, Clone, Copy)]
struct Last {
    revision: u64,
    value: u64,
}

impl Writer {
    fn keys(&self) -> std::ops::Range<usize> {
        self.first_key..self.first_key + KEYS_OF_A_WRITER
    }

    /// Creates the keys.
    pub async fn prepare(&self, ledger: &RefCell<Ledger>) -> anyhow::Result<()> {
        for key in self.keys() {
            let made = self.maps.create(map(key, 0)).await?;
            ledger.borrow_mut().wrote(key, revision_of(&made)?, 0);
        }
        Ok(())
    }

    /// Writes the keys in turn, each on condition of its last revision, until `done`.
    pub async fn run(self, ledger: &RefCell<Ledger>, mut done: watch::Receiver<bool>) {
        let mut lasts: Vec<Last> = Vec::new();
        for key in self.keys() {
            lasts.push(Last { revision: ledger.borrow().floor(key), value: 0 });
        }
        while !*done.borrow_and_update() {
            for (key, last) in self.keys().zip(&mut lasts) {
                *last = self.write(key, *last, ledger).await;
            }
        }
    }

    async fn write(&self, key: usize, last: Last, ledger: &RefCell<Ledger>) -> Last {
        let value = last.value + 1;
        let mut next = map(key, value);
        next.metadata.resource_version = last.revision.to_string();
        let (refused, error) = match self.maps.update(next).await {
            Ok(stored) => match revision_of(&stored) {
                Ok(revision) => {
                    ledger.borrow_mut().wrote(key, revision, value);
                    return Last { revision, value };
                }
                Err(error) => (false, format!("{error:#}")),
            },
            Err(error) => {
                let open = error.is(Reason::ServiceUnavailable) || error.is(Reason::Timeout);
                (matches!(error, Error::Api(_)) && !open, error.to_string())
            }
        };
        // No other client writes here: a conflict means that an earlier write was lost, or was executed late.
        let now = read_surely(&self.maps, key).await;
        let mut ledger = ledger.borrow_mut();
        ledger.unknown += u64::from(!refused);
        let happened = now.value == value && now.revision > last.revision;
        let did_not = now.value == last.value && now.revision == last.revision;
        match (happened, did_not) {
            (true, _) => ledger.wrote(key, now.revision, value),
            (false, true) if !refused => {}
            _ => ledger.violation(format!(
                "key {key} was left as {last:?}, then a write of {value} ended in {error:?}, and now it is {now:?}"
            )),
        }
        now
    }
}

/// Reads a key, and retries until it succeeds.
async fn read_surely(maps: &Api<ConfigMap>, key: usize) -> Last {
    loop {
        if let Ok(map) = maps.get(&name(key)).await
            && let Ok(revision) = revision_of(&map)
        {
            return Last { revision, value: value_of(&map) };
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// The number of clients beside the writers.
#[derive(Debug, Clone, Copy)]
pub struct Others {
    /// The number of clients that read any key.
    pub readers: usize,
    /// The number of watches of all keys.
    pub watchers: usize,
}

/// Runs all clients until `enough`, and the watches until they have delivered the last writes.
pub async fn ask(
    client: &Client,
    writers: Vec<Writer>,
    others: Others,
    ledger: &RefCell<Ledger>,
    enough: watch::Receiver<bool>,
) {
    let told_enough = watch::Sender::new(false);
    let writing = join_all(writers.into_iter().map(|writer| writer.run(ledger, enough.clone())));
    let reading = join_all((0..others.readers).map(|_| read(client, ledger, enough.clone())));
    let seen = RefCell::new(vec![0; others.watchers]);
    let watches = (0..others.watchers).map(|place| watch(client, place, ledger, &seen, told_enough.subscribe()));
    let watching = join_all(watches);
    let asking = async {
        tokio::join!(writing, reading);
        // The watches must deliver the last writes too.
        drop(tokio::time::timeout(SETTLE, all_have_reached(client, &seen)).await);
        told_enough.send_replace(true);
    };
    tokio::join!(asking, watching);
}

/// Waits until every watch has reached the present revision.
async fn all_have_reached(client: &Client, seen: &RefCell<Vec<u64>>) {
    while let Err(error) = mark_and_wait(client, seen).await {
        // Whoever waits for this has a limit.
        drop(error);
        tokio::time::sleep(RETRY).await;
    }
}

async fn mark_and_wait(client: &Client, seen: &RefCell<Vec<u64>>) -> Result<(), Error> {
    let now = mark(client).await?;
    while seen.borrow().iter().any(|reached| *reached < now) {
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

/// Reads random keys until `done`.
async fn read(client: &Client, ledger: &RefCell<Ledger>, done: watch::Receiver<bool>) {
    let keys = ledger.borrow().keys();
    let members = client.endpoints().len();
    while !*done.borrow() {
        let place = fastrand::usize(..members);
        let maps: Api<ConfigMap> = Api::new(client.beginning_with(place), NAMESPACE);
        let key = fastrand::usize(..keys);
        let floor = ledger.borrow().floor(key);
        // Without an answer there is nothing to check.
        if let Ok(map) = maps.get(&name(key)).await
            && let Ok(revision) = revision_of(&map)
        {
            ledger.borrow_mut().read(key, floor, revision, &format!("apiserver-{place} was asked first"));
        }
        tokio::time::sleep(READ_PAUSE).await;
    }
}

/// Watches all keys until `done`, first at the apiserver of this place.
async fn watch(
    client: &Client,
    place: usize,
    ledger: &RefCell<Ledger>,
    seen: &RefCell<Vec<u64>>,
    mut done: watch::Receiver<bool>,
) {
    let mut watch = Watch::new(client.beginning_with(place), Selection::all(Kind::ConfigMap));
    let mut segment: Option<Segment> = None;
    loop {
        seen.borrow_mut()[place] = segment.as_ref().map_or(0, Segment::end);
        let event = tokio::select! {
            event = watch.next() => event,
            _ = done.wait_for(|done| *done) => break,
        };
        match event {
            // The previous segment is complete; now comes the state, not the changes that led to it.
            Ok(Event::Begin) => segment.take().into_iter().for_each(|whole| ledger.borrow_mut().watched_segment(whole)),
            Ok(Event::Complete(revision)) => segment = Some(Segment::beginning_at(revision)),
            Ok(Event::Progress(revision)) => segment.iter_mut().for_each(|segment| segment.reached(revision)),
            Ok(Event::Applied(object, revision)) => {
                if let (Object::ConfigMap(map), Some(segment)) = (*object, &mut segment) {
                    match key_of(&map.metadata.name) {
                        Some(key) => segment.event(revision, key, value_of(&map)),
                        None => segment.reached(revision),
                    }
                }
            }
            Ok(Event::Deleted(object, revision)) => match key_of(&object.meta().name) {
                Some(key) if object.meta().namespace == NAMESPACE => {
                    ledger.borrow_mut().violation(format!("a watch reported that key {key} was removed"));
                }
                // An object of another client.
                _ => segment.iter_mut().for_each(|segment| segment.reached(revision)),
            },
            Err(error) => {
                ledger.borrow_mut().violation(format!("a watch ended: {error}"));
                break;
            }
        }
    }
    segment.into_iter().for_each(|whole| ledger.borrow_mut().watched_segment(whole));
}

/// Checks that every key is at least at the highest revision that any client has seen.
pub async fn read_back(client: &Client, ledger: &RefCell<Ledger>) -> anyhow::Result<()> {
    let maps: Vec<ConfigMap> = Api::new(client.clone(), NAMESPACE).list("", "").await?;
    let mut ledger = ledger.borrow_mut();
    let mut found = 0;
    for map in &maps {
        if let Some(key) = key_of(&map.metadata.name) {
            let floor = ledger.floor(key);
            ledger.read(key, floor, revision_of(map).context("a revision")?, "at the end");
            found += 1;
        }
    }
    let keys = ledger.keys();
    if found != keys {
        ledger.violation(format!("at the end there were {found} of {keys} keys"));
    }
    Ok(())
}
