//! Runs a controller: changes become keys, keys are observed and planned, plans are performed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use squall_api::metav1::v1::ObjectMeta;
use squall_client::Client;
use squall_client::events::Recorder;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinSet;

use super::action::Plan;
use super::caches::{Caches, ObjectChange};
use super::executor::{Executor, Written};
use super::queue::{Key, Queue};

/// A controller: two pure functions and what leads to them.
pub trait Controller: Send + Sync + 'static {
    /// What it looks at, collected into one value.
    type Observed: Send;

    /// The component that its events name: `deployment-controller`.
    const NAME: &'static str;
    /// How many keys it looks at in parallel.
    const WORKERS: usize = 1;

    /// Which keys a change touches.
    fn keys(&self, change: &ObjectChange, caches: &Caches) -> Vec<Key>;

    /// All keys there are: what it looks at when it starts.
    fn all_keys(&self, caches: &Caches) -> Vec<Key>;

    /// Collects what matters. `failure` is what went wrong the last time, if it did. `None`: nothing to do.
    fn observe(&self, caches: &Caches, key: &Key, failure: Option<&str>) -> Option<Self::Observed>;

    /// Decides.
    fn plan(&self, observed: Self::Observed, now: Timestamp) -> Plan;
}

/// A running controller; it ends when this is dropped.
pub struct Handle {
    _tasks: JoinSet<()>,
}

/// Starts a controller, whose writes go through this client.
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

/// What is kept of a key between two looks.
#[derive(Default)]
struct Memory {
    written: Written,
    failure: Option<String>,
}

impl<C: Controller> Running<C> {
    /// Turns changes into keys. Who falls behind looks at everything.
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
            let success = self.look(&key).await;
            self.queue.done(key, success);
        }
    }

    /// Observes, plans and acts once.
    async fn look(&self, key: &Key) -> bool {
        let Memory { written, failure } = self.remembered(key);
        // Never act on anything older than one's own last write.
        for (kind, revision) in &written {
            self.caches.wait_for(*kind, *revision).await;
        }
        let Some(observed) = self.controller.observe(&self.caches, key, failure.as_deref()) else { return true };
        let plan = self.controller.plan(observed, Timestamp::now());
        if let Some(after) = plan.wake_after {
            self.queue.add_after(key.clone(), after);
        }
        if plan.actions.is_empty() {
            return true;
        }
        tracing::debug!(controller = C::NAME, %key, actions = plan.actions.len(), "acting");
        let mut written = Written::new();
        let result = self.executor.perform(plan.actions, &mut written).await;
        let failure = result.as_ref().err().map(ToString::to_string);
        if let Some(failure) = &failure {
            tracing::debug!(controller = C::NAME, %key, failure, "will look again");
        }
        if !written.is_empty() || failure.is_some() {
            self.memory.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), Memory { written, failure });
        }
        result.is_ok()
    }

    fn remembered(&self, key: &Key) -> Memory {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).remove(key).unwrap_or_default()
    }
}

impl ObjectChange {
    /// The metadata before and after.
    pub fn both(&self) -> impl Iterator<Item = &ObjectMeta> {
        self.old.as_deref().into_iter().chain(self.new.as_deref())
    }
}
