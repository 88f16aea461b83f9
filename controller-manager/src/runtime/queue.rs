//! The work queue: holds each key once, never gives a key to two workers, and retries failures with growing backoff.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::fmt::{self, Display};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use squall_api::timing::later;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Backoff after the first failure (Kubernetes: 5 ms, doubled each time).
const FIRST_WAIT: Duration = Duration::from_millis(5);
/// Maximum backoff. Kubernetes waits up to 1,000 s, too long for a local lab.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Identifies an object to reconcile, by namespace and name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// Empty for cluster-scoped objects.
    pub namespace: String,
    /// Name of the object; the garbage collector puts the kind before it.
    pub name: String,
}

impl Key {
    /// Creates a key; the namespace is empty for cluster-scoped objects.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

impl Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// How the handling of a key ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// There was nothing to do, or all of it was done.
    Succeeded,
    /// It is to be tried again.
    Failed,
}

/// The queue of one controller.
#[derive(Debug, Default)]
pub struct Queue {
    state: Mutex<State>,
    more: Notify,
}

#[derive(Debug, Default)]
struct State {
    ready: VecDeque<Key>,
    queued: HashSet<Key>,
    /// Keys that a worker is handling.
    busy: HashSet<Key>,
    /// Busy keys that were added again meanwhile.
    again: HashSet<Key>,
    waiting: BTreeSet<(Instant, Key)>,
    /// When each waiting key is due: the earliest of the requested times.
    due: HashMap<Key, Instant>,
    failures: HashMap<Key, u32>,
    /// Keys that must not be handed out before this time.
    resting: HashMap<Key, Instant>,
}

impl State {
    fn add(&mut self, key: Key) {
        if let Some(until) = self.resting.get(&key) {
            if *until > Instant::now() {
                let until = *until;
                self.wait(key, until);
                return;
            }
            self.resting.remove(&key);
        }
        if self.busy.contains(&key) {
            self.again.insert(key);
        } else if self.queued.insert(key.clone()) {
            self.ready.push_back(key);
        }
    }

    /// Schedules a key for this time, unless it is already due earlier: each key waits once.
    fn wait(&mut self, key: Key, at: Instant) {
        match self.due.get(&key) {
            Some(due) if *due <= at => return,
            Some(due) => {
                self.waiting.remove(&(*due, key.clone()));
            }
            None => {}
        }
        self.due.insert(key.clone(), at);
        self.waiting.insert((at, key));
    }

    fn wake_due(&mut self, now: Instant) {
        while self.waiting.first().is_some_and(|(due, _)| *due <= now)
            && let Some((_, key)) = self.waiting.pop_first()
        {
            self.due.remove(&key);
            self.add(key);
        }
    }
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a key, to be handed out as soon as it is neither busy nor resting.
    pub fn add(&self, key: Key) {
        self.state().add(key);
        self.more.notify_one();
    }

    /// Queues a key after a delay.
    pub fn add_after(&self, key: Key, after: Duration) {
        self.state().wait(key, later(Instant::now(), after));
        self.more.notify_one();
    }

    /// Waits for the next key. The caller must call `done` after handling it.
    pub async fn next(&self) -> Key {
        loop {
            let due = {
                let mut state = self.state();
                state.wake_due(Instant::now());
                if let Some(key) = state.ready.pop_front() {
                    state.queued.remove(&key);
                    state.busy.insert(key.clone());
                    if !state.ready.is_empty() {
                        self.more.notify_one();
                    }
                    return key;
                }
                state.waiting.first().map(|(due, _)| *due)
            };
            match due {
                Some(due) => {
                    tokio::select! { () = tokio::time::sleep_until(due) => {}, () = self.more.notified() => {} }
                }
                None => self.more.notified().await,
            }
        }
    }

    /// Marks a key as handled. After a failure, queues it again with backoff. It does not return within `rest`.
    pub fn done(&self, key: Key, attempt: Attempt, rest: Duration) {
        let mut state = self.state();
        state.busy.remove(&key);
        if !rest.is_zero() {
            state.resting.insert(key.clone(), later(Instant::now(), rest));
        }
        match attempt {
            Attempt::Succeeded => drop(state.failures.remove(&key)),
            Attempt::Failed => {
                let failures = state.failures.entry(key.clone()).or_default();
                let wait = FIRST_WAIT.saturating_mul(1 << (*failures).min(20)).min(LONGEST_WAIT);
                *failures = failures.saturating_add(1);
                state.wait(key.clone(), later(Instant::now(), wait));
            }
        }
        if state.again.remove(&key) {
            state.add(key);
        }
        drop(state);
        self.more.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        Key::new("default", name)
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_is_queued_once_and_comes_again_if_it_changed_meanwhile() {
        let queue = Queue::default();
        queue.add(key("a"));
        queue.add(key("a"));
        queue.add(key("b"));
        assert_eq!(queue.next().await, key("a"));
        queue.add(key("a"));
        assert_eq!(queue.next().await, key("b"), "a is busy");
        queue.done(key("b"), Attempt::Succeeded, Duration::ZERO);
        queue.done(key("a"), Attempt::Succeeded, Duration::ZERO);
        assert_eq!(queue.next().await, key("a"));
        queue.done(key("a"), Attempt::Succeeded, Duration::ZERO);
        let nothing = tokio::time::timeout(Duration::from_secs(60), queue.next());
        assert!(nothing.await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn failures_wait_longer_each_time() {
        let queue = Queue::default();
        queue.add(key("a"));
        let mut waits = Vec::new();
        for _ in 0..4 {
            let start = Instant::now();
            queue.next().await;
            waits.push(start.elapsed().as_millis());
            queue.done(key("a"), Attempt::Failed, Duration::ZERO);
        }
        assert_eq!(waits, [0, 5, 10, 20]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_that_rests_comes_once_when_it_has_rested() {
        let queue = Queue::default();
        queue.add(key("a"));
        queue.next().await;
        queue.add(key("a"));
        queue.done(key("a"), Attempt::Succeeded, Duration::from_millis(20));
        queue.add(key("a"));
        let start = Instant::now();
        assert_eq!(queue.next().await, key("a"));
        assert_eq!(start.elapsed().as_millis(), 20);
        queue.done(key("a"), Attempt::Succeeded, Duration::ZERO);
        assert!(tokio::time::timeout(Duration::from_secs(60), queue.next()).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_waits_once_for_the_earliest_moment() {
        let queue = Queue::default();
        for seconds in [9, 5, 7] {
            queue.add_after(key("a"), Duration::from_secs(seconds));
        }
        let start = Instant::now();
        queue.next().await;
        assert_eq!(start.elapsed().as_secs(), 5);
        queue.done(key("a"), Attempt::Succeeded, Duration::ZERO);
        assert!(tokio::time::timeout(Duration::from_secs(60), queue.next()).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_can_be_asked_for_later() {
        let queue = Queue::default();
        queue.add_after(key("a"), Duration::from_secs(5));
        let start = Instant::now();
        queue.next().await;
        assert_eq!(start.elapsed().as_secs(), 5);
    }
}
