//! All pods of a node: runs a worker for each, and passes it the changes of its pod and its containers.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use squall_api::Kind;
use squall_api::core::v1::{Pod, Service};
use squall_client::events::Recorder;
use squall_client::{Cache, Change, Client, Error, Selection};
use squall_daemon::Timing;
use squall_faults::mutants::Mutant;
use squall_proto::squall::cri::v1 as cri;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

use super::addresses::{AddressPool, PodRange};
use super::runtime_client::Runtime;
use super::worker::{self, Message, Tools};

const RETRY: Duration = Duration::from_millis(50);
/// Maximum number of queued pod changes. If a change does not fit, all pods are read from the cache.
const QUEUE: usize = 4_096;

/// The pods bound to a node, and the services that lead to others, as far as the node knows.
pub struct Placed {
    /// The pods.
    pub pods: Cache<Pod>,
    /// The services.
    pub services: Cache<Service>,
    /// Tells that one has changed.
    pub changed: Arc<Notify>,
}

/// Manages the pods bound to a node. Returns only on an error that a retry cannot fix.
pub async fn follow(
    node: &str,
    range: PodRange,
    client: &Client,
    runtime: &Runtime,
    recorder: &Recorder,
    timing: Timing,
    placed: &Placed,
) -> Error {
    let cache = &placed.pods;
    let (changes, receiver) = mpsc::channel::<Change<Pod>>(QUEUE);
    let selection = Selection { fields: format!("spec.nodeName={node}"), ..Selection::all(Kind::Pod) };
    let tools = Tools {
        client: client.clone(),
        runtime: runtime.clone(),
        recorder: recorder.clone(),
        timing,
        host_ip: range.node().to_string(),
        addresses: Arc::new(Mutex::new(AddressPool::new(range))),
        services: placed.services.clone(),
    };
    let missed = Arc::new(AtomicBool::new(false));
    let mut pods = Pods { tools, workers: HashMap::new(), missed: missed.clone() };
    tokio::select! {
        error = cache.follow(client.clone(), selection, |change| {
            // A change that does not fit into the queue is read from the cache later.
            if changes.try_send(change).is_err() {
                missed.store(true, Ordering::Relaxed);
            }
            placed.changed.notify_one();
        }) => error,
        never = pods.run(cache, receiver) => match never {},
    }
}

struct Worker {
    messages: mpsc::Sender<Message>,
    task: JoinHandle<()>,
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Pods {
    tools: Tools,
    /// By the pod's uid.
    workers: HashMap<String, Worker>,
    /// Whether a change did not fit into the queue.
    missed: Arc<AtomicBool>,
}

impl Pods {
    async fn run(&mut self, cache: &Cache<Pod>, mut changes: mpsc::Receiver<Change<Pod>>) -> Infallible {
        cache.wait_for(1).await;
        loop {
            // Subscribe to the events before reading the state: a change in between is seen twice instead of never.
            let (events, state) = self.connect().await;
            self.adopt(cache, state.containers).await;
            self.serve(events, &mut changes).await;
            tracing::warn!("reading the runtime's state again");
        }
    }

    async fn connect(&self) -> (tonic::Streaming<cri::Event>, cri::StateReply) {
        loop {
            let mut runtime = self.tools.runtime.clone();
            let attempt = async {
                let events = runtime.events(cri::EventsRequest {}).await?.into_inner();
                Ok::<_, tonic::Status>((events, runtime.state(cri::StateRequest {}).await?.into_inner()))
            };
            match attempt.await {
                Ok(connected) => return connected,
                Err(error) => tracing::debug!(%error, "could not reach the runtime"),
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Passes each pod its containers in the runtime, and removes the containers of pods that are gone.
    async fn adopt(&mut self, cache: &Cache<Pod>, containers: Vec<cri::Container>) {
        let mut by_pod: HashMap<String, Vec<cri::Container>> = HashMap::new();
        for container in containers {
            self.tools.addresses.lock().unwrap_or_else(PoisonError::into_inner).take(&container.pod_ip);
            by_pod.entry(container.pod_uid.clone()).or_default().push(container);
        }
        // A pod keeps its address as long as it exists, even if none of its containers runs.
        for pod in cache.all() {
            self.tools.addresses.lock().unwrap_or_else(PoisonError::into_inner).take(&pod.status.pod_ip);
        }
        for pod in cache.all() {
            let held = by_pod.remove(&pod.metadata.uid).unwrap_or_default();
            self.tell(&pod.metadata.uid, Message::Containers(held), Some(&pod)).await;
            self.tell(&pod.metadata.uid, Message::Pod(pod.clone()), Some(&pod)).await;
        }
        for (uid, zombies) in by_pod {
            tracing::info!(
                pod = zombies.first().map_or("", |container| &container.pod_name),
                "removing a pod that is gone"
            );
            self.remove(&uid, zombies.first().map_or("", |container| &container.pod_ip)).await;
        }
    }

    async fn remove(&self, uid: &str, address: &str) {
        if Mutant::KeepZombies.is_on() {
            return;
        }
        if let Err(error) =
            self.tools.runtime.clone().remove_pod(cri::RemovePodRequest { pod_uid: uid.to_owned() }).await
        {
            tracing::warn!(%error, "could not remove a pod");
        }
        self.tools.addresses.lock().unwrap_or_else(PoisonError::into_inner).free(address);
    }

    /// Passes events and changes to the workers, until the runtime's events end or a change is missed.
    async fn serve(&mut self, mut events: tonic::Streaming<cri::Event>, changes: &mut mpsc::Receiver<Change<Pod>>) {
        while !self.missed.swap(false, Ordering::Relaxed) {
            tokio::select! {
                event = events.message() => match event {
                    Ok(Some(cri::Event { container: Some(container) })) => {
                        let uid = container.pod_uid.clone();
                        self.tell(&uid, Message::Container(container), None).await;
                    }
                    Ok(Some(_)) => {}
                    Ok(None) | Err(_) => return,
                },
                Some(change) = changes.recv() => self.changed(change).await,
            }
        }
    }

    async fn changed(&mut self, change: Change<Pod>) {
        match (change.new, change.old) {
            (Some(pod), _) => self.tell(&pod.metadata.uid, Message::Pod(pod.clone()), Some(&pod)).await,
            (None, Some(gone)) => {
                // Force-deleted, or already finished: remove whatever is left of it.
                self.workers.remove(&gone.metadata.uid);
                self.remove(&gone.metadata.uid, &gone.status.pod_ip).await;
            }
            (None, None) => {}
        }
    }

    /// Sends a message to the worker of a pod. If `pod` is given, starts a missing worker first.
    async fn tell(&mut self, uid: &str, message: Message, pod: Option<&Arc<Pod>>) {
        if !self.workers.contains_key(uid)
            && let Some(pod) = pod
        {
            let (messages, task) = worker::start(self.tools.clone(), pod.clone());
            self.workers.insert(uid.to_owned(), Worker { messages, task });
        }
        if let Some(worker) = self.workers.get(uid)
            && worker.messages.send(message).await.is_err()
        {
            self.workers.remove(uid);
        }
    }
}
