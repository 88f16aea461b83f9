//! Runs a controller: turns changes into keys, observes and plans each key, and performs the plans.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use squall_api::metav1::v1::ObjectMeta;
use squall_client::events::Recorder;
use squall_client::{Client, Error, Reason};
use squall_faults::mutants::Mutant;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinSet;

use super::action::{Action, Plan};
use super::caches::{CachedKind, Caches, ObjectChange};
use super::executor::{Executor, Written};
use super::queue::{Attempt, Key, Queue};

/// A controller: the pure functions `observe` and `plan`, and the keys to call them for.
pub trait Controller: Send + Sync + 'static {
    /// The state that a plan is made from, in one value.
    type Observed: Send;

    /// The source component of its events: `deployment-controller`.
    const NAME: &'static str;
    /// Number of keys that it reconciles in parallel.
    const WORKERS: usize = 1;

    /// Returns the keys that a change affects.
    fn keys(&self, change: &ObjectChange, caches: &Caches) -> Vec<Key>;

    /// Returns all existing keys, to reconcile at the start and after missed changes.
    fn all_keys(&self, caches: &Caches) -> Vec<Key>;

    /// Collects the state of a key; `None` if there is nothing to do. `failure` is the error of the last attempt.
    fn observe(&self, caches: &Caches, key: &Key, failure: Option<&str>) -> Option<Self::Observed>;

    /// Decides what to do about the observed state.
    fn plan(&self, observed: Self::Observed, now: Timestamp) -> Plan;
}

/// A running controller. Dropping the handle stops it.
pub struct Handle {
    _tasks: JoinSet<()>,
}

/// Starts a controller that writes through this client.
pub fn start<C: Controller>(controller: C, caches: &Caches, client: Client) -> Handle {
    let (recorder, telling) = Recorder::new(client.clone(), C::NAME, "");
    let running = Arc::new(Running {
        controller,
        caches: caches.clone(),
        queue: Queue::default(),
        executor: Executor::new(client, recorder),
        memory: Mutex::default(),
    });
    let mut tasks = JoinSet::new();
    tasks.spawn(telling);
    tasks.spawn(running.clone().listen());
    for _ in 0..C::WORKERS {
        tasks.spawn(running.clone().work());
    }
    Handle { _tasks: tasks }
}

struct Running<C> {
    controller: C,
    caches: Caches,
    queue: Queue,
    executor: Executor,
    memory: Mutex<HashMap<Key, Memory>>,
}

/// State kept for a key between two reconciliations.
#[derive(Default)]
struct Memory {
    written: Written,
    failure: Option<String>,
    /// Kinds with a write whose outcome is unknown.
    uncertain: BTreeSet<CachedKind>,
}

impl<C: Controller> Running<C> {
    /// Turns changes into keys. After missed changes, queues all keys.
    async fn listen(self: Arc<Self>) {
        let mut changes = self.caches.changes();
        self.add_all();
        loop {
            match changes.recv().await {
                Ok(change) => {
                    self.controller.keys(&change, &self.caches).into_iter().for_each(|key| self.queue.add(key));
                }
                Err(RecvError::Lagged(_)) => self.add_all(),
                Err(RecvError::Closed) => return,
            }
        }
    }

    fn add_all(&self) {
        self.controller.all_keys(&self.caches).into_iter().for_each(|key| self.queue.add(key));
    }

    async fn work(self: Arc<Self>) {
        loop {
            let key = self.queue.next().await;
            let (attempt, rest) = self.look(&key).await;
            self.queue.done(key, attempt, rest);
        }
    }

    /// Observes, plans and acts once. Returns how it went, and how long the key must rest.
    async fn look(&self, key: &Key) -> (Attempt, Duration) {
        let Ok(failure) = self.catch_up(key).await else { return (Attempt::Failed, Duration::ZERO) };
        let observed = self.controller.observe(&self.caches, key, failure.as_deref());
        let Some(observed) = observed else { return (Attempt::Succeeded, Duration::ZERO) };
        let plan = self.controller.plan(observed, squall_faults::now());
        if let Some(after) = plan.wake_after {
            self.queue.add_after(key.clone(), after);
        }
        let attempt = if plan.actions.is_empty() { Attempt::Succeeded } else { self.act(key, plan.actions).await };
        (attempt, plan.rest)
    }

    /// Waits until the caches show all earlier writes for the key: no decision uses state older than the controller's
    /// own last write. Returns the error of the last attempt, if it failed.
    async fn catch_up(&self, key: &Key) -> Result<Option<String>, Error> {
        let mut memory = self.remembered(key);
        if Mutant::StaleReads.is_on() {
            return Ok(memory.failure);
        }
        if !memory.uncertain.is_empty() {
            // A write without a reply may have been applied: wait for everything up to the current revision.
            match self.executor.revision().await {
                Ok(revision) => memory.written.extend(memory.uncertain.iter().map(|kind| (*kind, revision))),
                Err(error) => {
                    tracing::debug!(controller = C::NAME, %key, %error, "could not get the revision of earlier writes");
                    self.remember(key, memory);
                    return Err(error);
                }
            }
        }
        for (kind, revision) in &memory.written {
            self.caches.wait_for(*kind, *revision).await;
        }
        Ok(memory.failure)
    }

    async fn act(&self, key: &Key, actions: Vec<Action>) -> Attempt {
        tracing::debug!(controller = C::NAME, %key, actions = actions.len(), "acting");
        let mut kinds = BTreeSet::new();
        actions.iter().for_each(|action| action.collect_kinds(&mut kinds));
        let mut written = Written::new();
        let result = self.executor.perform(actions, &mut written).await;
        let uncertain = match &result {
            // No decision reads the other kinds: there is no cache to wait for.
            Err(error) if !is_definite(error) => kinds.into_iter().filter_map(CachedKind::of).collect(),
            Err(_) | Ok(()) => BTreeSet::new(),
        };
        // A conflict with another writer is no failure to report: it is only retried.
        let failed = result.as_ref().err().filter(|error| !error.is(Reason::Conflict));
        let failure = failed.map(ToString::to_string);
        if let Some(failure) = &failure {
            tracing::debug!(controller = C::NAME, %key, failure, "will retry");
        }
        if !written.is_empty() || failure.is_some() {
            self.remember(key, Memory { written, failure, uncertain });
        }
        if result.is_ok() { Attempt::Succeeded } else { Attempt::Failed }
    }

    fn remember(&self, key: &Key, memory: Memory) {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), memory);
    }

    fn remembered(&self, key: &Key) -> Memory {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).remove(key).unwrap_or_default()
    }
}

/// Whether a failed write is known not to have been applied.
fn is_definite(error: &Error) -> bool {
    use Reason::{
        AlreadyExists, BadRequest, Conflict, Forbidden, Invalid, MethodNotAllowed, NotFound, TooManyRequests,
        Unauthorized,
    };
    let refusals = [
        AlreadyExists,
        BadRequest,
        Conflict,
        Forbidden,
        Invalid,
        MethodNotAllowed,
        NotFound,
        TooManyRequests,
        Unauthorized,
    ];
    error.reason().is_some_and(|reason| refusals.contains(&reason))
}

impl ObjectChange {
    /// Iterates over the metadata before and after the change, as far as each exists.
    pub fn both(&self) -> impl Iterator<Item = &ObjectMeta> {
        self.old.as_deref().into_iter().chain(self.new.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_api::core::v1::Pod;

    /// Asserts that the cache shows its own pod.
    struct Counting;

    impl Controller for Counting {
        type Observed = ();
        const NAME: &'static str = "counting";

        fn keys(&self, _: &ObjectChange, _: &Caches) -> Vec<Key> {
            Vec::new()
        }

        fn all_keys(&self, _: &Caches) -> Vec<Key> {
            Vec::new()
        }

        fn observe(&self, caches: &Caches, _: &Key, _: Option<&str>) -> Option<()> {
            assert_eq!(caches.pods.all().len(), 1, "the cache does not show our own pod yet");
            None
        }

        fn plan(&self, (): (), _: Timestamp) -> Plan {
            Plan::default()
        }
    }

    /// Kubernetes 129795, cluster-api 13649: a controller whose watch lagged behind its writes created objects twice.
    #[tokio::test(start_paused = true)]
    async fn nothing_is_decided_before_the_cache_shows_the_last_write() {
        let client =
            Client::connect(&["http://127.0.0.1:1".to_owned()], Arc::new(|endpoint| Ok(endpoint.connect_lazy())))
                .unwrap();
        let (recorder, _) = Recorder::new(client.clone(), "counting", "");
        let caches = Caches::new();
        let running = Running {
            controller: Counting,
            caches: caches.clone(),
            queue: Queue::default(),
            executor: Executor::new(client, recorder),
            memory: Mutex::default(),
        };
        let key = Key::new("default", "kubia");
        running.remember(&key, Memory { written: HashMap::from([(CachedKind::Pod, 10)]), ..Memory::default() });
        let looking = running.look(&key);
        tokio::pin!(looking);
        let minutes = Duration::from_secs(600);
        assert!(tokio::time::timeout(minutes, &mut looking).await.is_err(), "it must never stop waiting");
        let mut pod = Pod::default();
        pod.metadata.name = "kubia-1".to_owned();
        caches.pods.show(pod, 10);
        assert_eq!(looking.await.0, Attempt::Succeeded);
    }

    #[test]
    fn only_a_refusal_is_known_not_to_have_written() {
        assert!(is_definite(&Error::Api(squall_api::Error::bad_request("no"))));
        assert!(!is_definite(&Error::Config(String::new())));
        let lost = Error::Unreachable { endpoints: vec![], reason: String::new(), refused: false };
        assert!(!is_definite(&lost));
    }
}
