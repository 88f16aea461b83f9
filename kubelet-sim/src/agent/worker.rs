//! The worker of one pod: looks, does what is decided, reports.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use squall_api::core::v1::{Pod, Probe};
use squall_client::events::{EventType, Happening, ObjectId, Recorder};
use squall_client::{Api, Client, DeleteParams, Reason};
use squall_daemon::Timing;
use squall_proto::squall::cri::v1 as cri;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};

use super::addresses::AddressPool;
use super::probes::{self, Found};
use super::runtime_client::Runtime;
use crate::lifecycle::{ContainerView, ImageState, Place, Step, container_id, decide, pull_wait};

/// How many messages may wait for a worker.
const QUEUE: usize = 256;
/// How long to wait before a report that failed is tried again.
const RETRY: Duration = Duration::from_millis(50);
/// How long to wait before a step that failed is tried again.
const STEP_RETRY: Duration = Duration::from_millis(200);

/// What a worker works with.
#[derive(Clone)]
pub struct Tools {
    pub client: Client,
    pub runtime: Runtime,
    pub recorder: Recorder,
    pub timing: Timing,
    pub host_ip: String,
    pub addresses: Arc<Mutex<AddressPool>>,
}

/// What a worker is told.
pub enum Message {
    /// The pod has changed.
    Pod(Arc<Pod>),
    /// The runtime holds exactly these containers of the pod.
    Containers(Vec<cri::Container>),
    /// A container has started or ended.
    Container(cri::Container),
    /// A pull has ended.
    Pulled(usize, Result<cri::PullImageReply, String>),
    /// A start has ended.
    Started(usize, Result<cri::Container, String>),
    /// A probe has an answer.
    Probed(usize, ProbeKind, Found, Option<bool>),
    /// A start that failed may be tried again.
    Retry(usize),
}

/// Which probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbeKind {
    /// Whether it can take requests.
    Readiness,
    /// Whether it should go on living.
    Liveness,
}

/// Starts the worker of a pod.
pub fn start(tools: Tools, pod: Arc<Pod>) -> (mpsc::Sender<Message>, JoinHandle<()>) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let views = vec![ContainerView::default(); pod.spec.containers.len()];
    let probing = pod.spec.containers.iter().map(|_| Probing::default()).collect();
    let address = Some(pod.status.pod_ip.clone()).filter(|address| !address.is_empty());
    let worker = Worker { tools, pod, views, probing, address, inbox: sender.clone(), finished: false };
    let task = tokio::spawn(worker.run(receiver));
    (sender, task)
}

/// The probes of one container; they end when this is dropped.
#[derive(Default)]
struct Probing {
    container: String,
    tasks: JoinSet<()>,
}

struct Worker {
    tools: Tools,
    pod: Arc<Pod>,
    views: Vec<ContainerView>,
    probing: Vec<Probing>,
    address: Option<String>,
    inbox: mpsc::Sender<Message>,
    finished: bool,
}

impl Worker {
    async fn run(mut self, mut receiver: mpsc::Receiver<Message>) {
        let mut wake: Option<tokio::time::Instant> = None;
        // Nothing is decided before the runtime has said what it holds.
        let mut known = false;
        loop {
            let sleep = async {
                match wake {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                message = receiver.recv() => match message {
                    Some(message) => {
                        known |= matches!(message, Message::Containers(_) | Message::Pod(_));
                        self.take(message);
                    }
                    None => return,
                },
                () = sleep => {}
            }
            while let Ok(message) = receiver.try_recv() {
                self.take(message);
            }
            if known && !self.finished {
                wake = self.look().await;
            }
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Pod(pod) => self.pod = pod,
            Message::Containers(containers) => self.reconcile(containers),
            Message::Container(container) => self.note(container),
            Message::Pulled(index, result) => self.pulled(index, result),
            Message::Started(index, Ok(container)) => {
                self.views[index].busy = false;
                self.note(container);
                let name = self.pod.spec.containers[index].name.clone();
                self.tell(index, EventType::Normal, "Created", format!("Created container {name}"));
                self.tell(index, EventType::Normal, "Started", format!("Started container {name}"));
            }
            Message::Started(index, Err(error)) => {
                tracing::warn!(pod = self.pod.metadata.name, error, "could not start a container");
                self.tell(index, EventType::Warning, "Failed", format!("Error: {error}"));
                let inbox = self.inbox.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(STEP_RETRY).await;
                    // The worker may be gone.
                    drop(inbox.send(Message::Retry(index)).await);
                });
            }
            Message::Probed(index, kind, found, settled) => self.probed(index, kind, found, settled),
            Message::Retry(index) => self.views[index].busy = false,
        }
    }

    /// Takes over what the runtime holds; a container it does not hold any more has been killed with it.
    fn reconcile(&mut self, containers: Vec<cri::Container>) {
        for view in &mut self.views {
            if let Some(current) = view.current.as_mut().filter(|current| current.exit.is_none())
                && !containers.iter().any(|container| container.id == current.id)
            {
                let now = i64::try_from(Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX);
                current.exit =
                    Some(cri::Exit { code: 137, finished_at: now, reason: "ContainerStatusUnknown".to_owned() });
                view.image = ImageState::Unknown;
                view.busy = false;
            }
        }
        let mut containers = containers;
        containers.sort_by_key(|container| container.attempt);
        for container in containers {
            self.note(container);
        }
    }

    fn note(&mut self, container: cri::Container) {
        let Some(index) = self.pod.spec.containers.iter().position(|spec| spec.name == container.name) else { return };
        self.address.get_or_insert_with(|| container.pod_ip.clone());
        let spec = &self.pod.spec.containers[index];
        let view = &mut self.views[index];
        match &view.current {
            Some(current) if current.id == container.id => {
                // The end may be told before the beginning.
                if current.exit.is_none() {
                    view.current = Some(container);
                }
            }
            Some(current) if current.attempt > container.attempt => {}
            _ => {
                view.previous = view.current.take();
                view.stopping = false;
                view.unhealthy = false;
                // A pod that was ready before its kubelet came back is ready still.
                let before = self
                    .pod
                    .status
                    .container_statuses
                    .iter()
                    .find(|status| status.container_id == container_id(&container.id));
                view.ready = spec.readiness_probe.is_none() || before.is_some_and(|status| status.ready);
                if view.image == ImageState::Unknown {
                    view.image = ImageState::Present(before.map(|status| status.image_id.clone()).unwrap_or_default());
                }
                view.current = Some(container);
            }
        }
        self.probe(index);
    }

    /// Probes the container that runs now, and no other.
    fn probe(&mut self, index: usize) {
        let running = self.views[index].current.as_ref().filter(|current| current.exit.is_none());
        let id = running.map(|current| current.id.clone()).unwrap_or_default();
        if self.probing[index].container == id {
            return;
        }
        self.probing[index] = Probing { container: id.clone(), tasks: JoinSet::new() };
        let (Some(address), false) = (self.address.clone(), id.is_empty()) else { return };
        let spec = self.pod.spec.containers[index].clone();
        let kinds: [(ProbeKind, Option<Probe>); 2] =
            [(ProbeKind::Readiness, spec.readiness_probe.clone()), (ProbeKind::Liveness, spec.liveness_probe.clone())];
        for (kind, probe) in kinds {
            let Some(probe) = probe else { continue };
            let inbox = self.inbox.clone();
            // An answer that finds the queue full is lost; the next one comes.
            let tell = move |found, settled| drop(inbox.try_send(Message::Probed(index, kind, found, settled)));
            self.probing[index].tasks.spawn(probes::run(probe, spec.clone(), address.clone(), self.tools.timing, tell));
        }
    }

    fn probed(&mut self, index: usize, kind: ProbeKind, found: Found, settled: Option<bool>) {
        if let Err(problem) = found {
            self.tell(index, EventType::Warning, "Unhealthy", format!("{kind:?} probe failed: {problem}"));
        }
        match (kind, settled) {
            (ProbeKind::Readiness, Some(ready)) => self.views[index].ready = ready,
            (ProbeKind::Liveness, Some(false)) if !self.views[index].unhealthy => {
                self.views[index].unhealthy = true;
                let name = &self.pod.spec.containers[index].name;
                let message = format!("Container {name} failed liveness probe, will be restarted");
                self.tell(index, EventType::Normal, "Killing", message);
            }
            _ => {}
        }
    }

    fn pulled(&mut self, index: usize, result: Result<cri::PullImageReply, String>) {
        let image = self.pod.spec.containers[index].image.clone();
        let failures = match &self.views[index].image {
            ImageState::Failed { failures, .. } => failures + 1,
            _ => 1,
        };
        self.views[index].busy = false;
        self.views[index].image = match result {
            Ok(reply) => {
                let message = if reply.present {
                    format!("Container image {image:?} already present on machine")
                } else {
                    format!("Successfully pulled image {image:?}. Image size: {} bytes.", reply.size_bytes)
                };
                self.tell(index, EventType::Normal, "Pulled", message);
                ImageState::Present(reply.image_id)
            }
            Err(message) => {
                self.tell(index, EventType::Warning, "Failed", format!("Failed to pull image {image:?}: {message}"));
                self.tell(index, EventType::Warning, "Failed", "Error: ErrImagePull".to_owned());
                let wait = pull_wait(failures, &self.tools.timing);
                ImageState::Failed { message, retry_at: Timestamp::now() + wait, failures }
            }
        };
    }

    fn tell(&self, index: usize, event_type: EventType, reason: &'static str, message: String) {
        let mut object = ObjectId::of(self.pod.as_ref());
        object.field_path = format!("spec.containers{{{}}}", self.pod.spec.containers[index].name);
        self.tools.recorder.record(Happening { object, event_type, reason, message });
    }

    /// Decides, acts, reports. Returns when to look again.
    async fn look(&mut self) -> Option<tokio::time::Instant> {
        if self.address.is_none() {
            self.address = self.tools.addresses.lock().unwrap_or_else(PoisonError::into_inner).any();
        }
        let now = Timestamp::now();
        let place = Place { pod_ip: self.address.as_deref().unwrap_or_default(), host_ip: &self.tools.host_ip };
        let decision = decide(&self.pod, &self.views, place, &self.tools.timing, now);
        for step in &decision.steps {
            self.step(step);
        }
        let reported = decision.status == self.pod.status || self.report(decision.status).await;
        if !reported {
            return Some(tokio::time::Instant::now() + RETRY);
        }
        if decision.steps.contains(&Step::Finish) {
            self.finished = self.finish().await;
            return (!self.finished).then(|| tokio::time::Instant::now() + RETRY);
        }
        let wait = decision.wake_at.map(|at| Duration::try_from(at.duration_since(now)).unwrap_or_default());
        wait.map(|wait| tokio::time::Instant::now() + wait)
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Pull(index) => self.pull(*index),
            Step::Start(index, attempt) => self.start(*index, *attempt),
            Step::Stop(index, grace) => self.stop(*index, *grace),
            Step::Finish => {}
        }
    }

    fn pull(&mut self, index: usize) {
        self.views[index].busy = true;
        let image = self.pod.spec.containers[index].image.clone();
        self.tell(index, EventType::Normal, "Pulling", format!("Pulling image {image:?}"));
        let (mut runtime, inbox) = (self.tools.runtime.clone(), self.inbox.clone());
        tokio::spawn(async move {
            let result = runtime.pull_image(cri::PullImageRequest { image }).await;
            let result = result.map(tonic::Response::into_inner).map_err(|status| status.message().to_owned());
            // The worker may be gone.
            drop(inbox.send(Message::Pulled(index, result)).await);
        });
    }

    fn start(&mut self, index: usize, attempt: i32) {
        self.views[index].busy = true;
        let spec = &self.pod.spec.containers[index];
        let request = cri::StartContainerRequest {
            pod_uid: self.pod.metadata.uid.clone(),
            pod_namespace: self.pod.metadata.namespace.clone(),
            pod_name: self.pod.metadata.name.clone(),
            pod_ip: self.address.clone().unwrap_or_default(),
            name: spec.name.clone(),
            image: spec.image.clone(),
            attempt,
            ports: spec.ports.iter().filter_map(|port| u32::try_from(port.container_port).ok()).collect(),
        };
        let (mut runtime, inbox) = (self.tools.runtime.clone(), self.inbox.clone());
        tokio::spawn(async move {
            let result = match runtime.start_container(request).await {
                Ok(reply) => reply.into_inner().container.ok_or_else(|| "the runtime gave no container".to_owned()),
                Err(status) => Err(status.message().to_owned()),
            };
            // The worker may be gone.
            drop(inbox.send(Message::Started(index, result)).await);
        });
    }

    fn stop(&mut self, index: usize, grace: Duration) {
        let view = &mut self.views[index];
        view.stopping = true;
        let Some(current) = &view.current else { return };
        let request = cri::StopContainerRequest {
            id: current.id.clone(),
            grace_period_millis: i64::try_from(grace.as_millis()).unwrap_or(i64::MAX),
        };
        if !view.unhealthy {
            let message = format!("Stopping container {}", self.pod.spec.containers[index].name);
            self.tell(index, EventType::Normal, "Killing", message);
        }
        let mut runtime = self.tools.runtime.clone();
        tokio::spawn(async move {
            if let Err(error) = runtime.stop_container(request).await {
                // The runtime is gone, and its containers with it; its state is read when it is back.
                tracing::warn!(%error, "could not stop a container");
            }
        });
    }

    /// Writes the status. A pod that has changed meanwhile comes by itself.
    async fn report(&mut self, status: squall_api::core::v1::PodStatus) -> bool {
        let mut pod = self.pod.as_ref().clone();
        pod.status = status;
        let api: Api<Pod> = Api::new(self.tools.client.clone(), &pod.metadata.namespace);
        match api.update_status(pod).await {
            Ok(pod) => {
                self.pod = Arc::new(pod);
                true
            }
            Err(error) if error.is(Reason::Conflict) => match api.get(&self.pod.metadata.name).await {
                Ok(pod) if pod.metadata.uid == self.pod.metadata.uid => {
                    self.pod = Arc::new(pod);
                    false
                }
                _ => false,
            },
            // Deleted by force: the watch tells.
            Err(error) if error.is_not_found() => true,
            Err(error) => {
                tracing::debug!(%error, "could not report a pod's status");
                false
            }
        }
    }

    /// Forgets the pod, here and in the cluster.
    async fn finish(&self) -> bool {
        let uid = self.pod.metadata.uid.clone();
        if let Err(error) = self.tools.runtime.clone().remove_pod(cri::RemovePodRequest { pod_uid: uid.clone() }).await
        {
            tracing::debug!(%error, "could not remove a pod");
            return false;
        }
        let api: Api<Pod> = Api::new(self.tools.client.clone(), &self.pod.metadata.namespace);
        let how = DeleteParams { grace_period: Some(0), uid, ..DeleteParams::default() };
        match api.delete(&self.pod.metadata.name, how).await {
            Ok(_) => true,
            Err(error) if error.is_not_found() || error.is(Reason::Conflict) => true,
            Err(error) => {
                tracing::debug!(%error, "could not delete a pod that has ended");
                false
            }
        }
    }
}
