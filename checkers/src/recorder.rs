//! Records the history while it happens: a watch for each kind, resumed across every failure, merged by revision.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use squall_api::write_log::Election;
use squall_api::{Kind, Object};
use squall_client::{Client, Error, Event, Selection, Watch};
use squall_referee::history::{Change, Fate, History, Subject, World};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::marker::mark;

/// The recorded kinds.
const KINDS: [Kind; 8] = [
    Kind::Deployment,
    Kind::ReplicaSet,
    Kind::Pod,
    Kind::ReplicationController,
    Kind::Service,
    Kind::EndpointSlice,
    Kind::Event,
    Kind::Lease,
];

/// Returns the selection of a kind: all objects, but only the Leases of elections, not those of nodes.
fn selection(kind: Kind) -> Selection {
    let namespace = if kind == Kind::Lease { "kube-system" } else { "" };
    Selection { namespace: namespace.to_owned(), ..Selection::all(kind) }
}
/// The timeout for the watches to start and to reach the end: a bookmark comes every few seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running recording of a history.
pub struct Recorder {
    client: Client,
    shared: Arc<Shared>,
    watches: JoinSet<Error>,
    start: Instant,
}

/// Read access to the latest state during the recording.
#[derive(Clone)]
pub struct Witness {
    shared: Arc<Shared>,
}

impl Witness {
    /// Calls `look` with the latest state.
    pub fn look<T>(&self, look: impl FnOnce(&World) -> T) -> T {
        look(&self.shared.recorded().latest)
    }

    /// Returns a counter that increases with each event.
    #[must_use]
    pub fn news(&self) -> watch::Receiver<u64> {
        self.shared.news.subscribe()
    }
}

struct Shared {
    recorded: Mutex<Recorded>,
    /// Increases with each event.
    news: watch::Sender<u64>,
}

#[derive(Default)]
struct Recorded {
    /// The state when each kind's watch began.
    start: World,
    changes: BTreeMap<u64, Change>,
    /// The latest state: each kind in order, but different kinds may be a moment apart.
    latest: World,
    kinds: BTreeMap<Kind, Progress>,
}

/// The progress of the watch of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// It delivers the initial state.
    Listing,
    /// It has delivered every change from the first revision to the second.
    Following(u64, u64),
    /// It had to restart: changes are missing.
    Broken,
}

impl Recorded {
    fn take(&mut self, kind: Kind, event: Event, at: Duration) {
        let progress = self.kinds.get(&kind).copied();
        let next = match (progress, event) {
            (Some(Progress::Broken), _) => Progress::Broken,
            (None, Event::Begin) => Progress::Listing,
            (Some(Progress::Listing), Event::Complete(revision)) => Progress::Following(revision, revision),
            (_, Event::Begin | Event::Complete(_)) => Progress::Broken,
            (Some(Progress::Following(from, _)), Event::Applied(object, revision)) => {
                self.note(*object, revision, Fate::Stored, at);
                Progress::Following(from, revision)
            }
            (Some(Progress::Following(from, _)), Event::Deleted(object, revision)) => {
                self.note(*object, revision, Fate::Removed, at);
                Progress::Following(from, revision)
            }
            (Some(Progress::Following(from, _)), Event::Progress(revision)) => Progress::Following(from, revision),
            (None | Some(Progress::Listing), Event::Applied(object, revision)) => {
                if let Some(subject) = Subject::of(*object) {
                    let change = Change { revision, subject, fate: Fate::Stored, at };
                    self.start.apply(&change);
                    self.latest.apply(&change);
                }
                Progress::Listing
            }
            (None | Some(Progress::Listing), Event::Deleted(..) | Event::Progress(_)) => Progress::Listing,
        };
        self.kinds.insert(kind, next);
    }

    fn note(&mut self, object: Object, revision: u64, fate: Fate, at: Duration) {
        if let Some(subject) = Subject::of(object).filter(|subject| fate == Fate::Removed || !self.is_renewal(subject))
        {
            let change = Change { revision, subject, fate, at };
            self.latest.apply(&change);
            self.changes.insert(revision, change);
        }
    }

    /// Returns whether only the time of a Lease changed.
    fn is_renewal(&self, subject: &Subject) -> bool {
        let Subject::Lease(lease) = subject else { return false };
        let known = self.latest.lease(&lease.metadata.namespace, &lease.metadata.name);
        known.is_some_and(|known| Election::of(known) == Election::of(lease))
    }

    /// Returns the range of revisions that every kind covers; `None` while a watch delivers its initial state.
    fn complete(&self) -> anyhow::Result<Option<(u64, u64)>> {
        let (mut begin, mut end) = (0, u64::MAX);
        for kind in KINDS {
            match self.kinds.get(&kind) {
                None | Some(Progress::Listing) => return Ok(None),
                Some(Progress::Following(from, to)) => (begin, end) = (begin.max(*from), end.min(*to)),
                Some(Progress::Broken) => bail!("changes of {} were missed", kind.info().plural),
            }
        }
        Ok(Some((begin, end)))
    }

    /// Returns the history of a range of revisions. Earlier changes belong to its start, as kinds begin a moment apart.
    fn history(&mut self, range: RangeInclusive<u64>) -> History {
        let mut history = History { start: std::mem::take(&mut self.start), changes: Vec::new(), ..History::default() };
        for (revision, change) in std::mem::take(&mut self.changes) {
            if revision <= *range.start() {
                history.start.apply(&change);
            } else if revision <= *range.end() {
                history.changes.push(change);
            }
        }
        history
    }
}

impl Shared {
    fn recorded(&self) -> MutexGuard<'_, Recorded> {
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recorder {
    /// Starts recording.
    pub async fn start(client: Client) -> anyhow::Result<Self> {
        let shared = Arc::new(Shared { recorded: Mutex::default(), news: watch::Sender::new(0) });
        let (start, mut watches) = (Instant::now(), JoinSet::new());
        for kind in KINDS {
            let (shared, client) = (shared.clone(), client.clone());
            watches.spawn(async move {
                let mut watch = Watch::new(client, selection(kind));
                loop {
                    match watch.next().await {
                        Ok(event) => shared.recorded().take(kind, event, start.elapsed()),
                        Err(error) => return error,
                    }
                    shared.news.send_modify(|count| *count += 1);
                }
            });
        }
        let mut recorder = Self { client, shared, watches, start };
        recorder.until_recorded("the first state", PATIENCE, Recorded::complete).await?;
        Ok(recorder)
    }

    /// Returns the latest state.
    #[must_use]
    pub fn latest(&self) -> World {
        self.shared.recorded().latest.clone()
    }

    /// Returns read access to the latest state.
    #[must_use]
    pub fn witness(&self) -> Witness {
        Witness { shared: self.shared.clone() }
    }

    /// Returns the start of the recording.
    #[must_use]
    pub fn start_time(&self) -> Instant {
        self.start
    }

    /// Waits until `found` returns a value for the latest state, and returns it.
    pub async fn until<T>(
        &mut self,
        what: &str,
        limit: Duration,
        found: impl Fn(&World) -> Option<T>,
    ) -> anyhow::Result<T> {
        self.until_recorded(what, limit, |recorded| Ok(found(&recorded.latest))).await
    }

    async fn until_recorded<T>(
        &mut self,
        what: &str,
        limit: Duration,
        found: impl Fn(&Recorded) -> anyhow::Result<Option<T>>,
    ) -> anyhow::Result<T> {
        let mut news = self.shared.news.subscribe();
        let wait = async {
            loop {
                news.borrow_and_update();
                let value = found(&self.shared.recorded())?;
                if let Some(value) = value {
                    return Ok(value);
                }
                tokio::select! {
                    Some(ended) = self.watches.join_next() => bail!("a watch ended: {ended:?}"),
                    changed = news.changed() => changed.context("the recorder is gone")?,
                }
            }
        };
        match tokio::time::timeout(limit, wait).await {
            Ok(result) => result,
            Err(_) => bail!("waited {limit:?} for {what}"),
        }
    }

    /// Returns the history up to now and the revisions that it covers; an error if any change was missed.
    pub async fn finish(&mut self) -> anyhow::Result<(RangeInclusive<u64>, History)> {
        let now = mark(&self.client).await?;
        let reached = |recorded: &Recorded| Ok(recorded.complete()?.filter(|(_, end)| *end >= now));
        let (begin, _) = self.until_recorded(&format!("the history up to revision {now}"), PATIENCE, reached).await?;
        let range = begin..=now;
        ensure!(!range.is_empty(), "the history ends at revision {now}, before it began");
        let history = self.shared.recorded().history(range.clone());
        Ok((range, history))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_api::core::v1::Pod;

    fn pod(uid: &str) -> Box<Object> {
        let mut pod = Pod::default();
        uid.clone_into(&mut pod.metadata.uid);
        Box::new(pod.into())
    }

    fn following() -> Recorded {
        let mut recorded = Recorded::default();
        for (kind, revision) in KINDS.into_iter().zip([5, 6, 7, 7, 7, 7, 7, 7]) {
            recorded.take(kind, Event::Begin, Duration::ZERO);
            recorded.take(kind, Event::Complete(revision), Duration::ZERO);
        }
        recorded
    }

    #[test]
    fn a_history_begins_where_the_last_kind_is_complete() {
        let mut recorded = Recorded::default();
        recorded.take(Kind::Pod, Event::Begin, Duration::ZERO);
        recorded.take(Kind::Pod, Event::Applied(pod("a"), 3), Duration::ZERO);
        recorded.take(Kind::Pod, Event::Complete(5), Duration::ZERO);
        assert_eq!(recorded.complete().unwrap(), None);
        for kind in KINDS.into_iter().filter(|kind| *kind != Kind::Pod) {
            recorded.take(kind, Event::Begin, Duration::ZERO);
            recorded.take(kind, Event::Complete(8), Duration::ZERO);
        }
        for (uid, revision) in [("b", 7), ("c", 9), ("d", 12)] {
            recorded.take(Kind::Pod, Event::Applied(pod(uid), revision), Duration::ZERO);
        }
        for kind in KINDS.into_iter().filter(|kind| *kind != Kind::Pod) {
            recorded.take(kind, Event::Progress(11), Duration::ZERO);
        }
        assert_eq!(recorded.complete().unwrap(), Some((8, 11)));
        let history = recorded.history(8..=11);
        assert_eq!(history.start.pods().count(), 2, "a and b were there when it began");
        assert_eq!(history.changes.iter().map(|change| change.revision).collect::<Vec<_>>(), [9]);
    }

    #[test]
    fn a_watch_that_begins_anew_has_missed_something() {
        let mut recorded = following();
        assert_eq!(recorded.complete().unwrap(), Some((7, 5)), "nothing is complete from 7 on yet");
        recorded.take(Kind::ReplicaSet, Event::Begin, Duration::ZERO);
        recorded.take(Kind::ReplicaSet, Event::Complete(20), Duration::ZERO);
        assert_eq!(recorded.complete().unwrap_err().to_string(), "changes of replicasets were missed");
    }
}
