//! The worker of one pod: decides, starts the steps, and reports the status.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use squall_api::core::v1::{Container, Pod, Service};
use squall_api::happening::{Happening, ObjectId};
use squall_api::meta::parse_resource_version;
use squall_api::timing::later;
use squall_client::events::Recorder;
use squall_client::{Api, Cache, Client, DeleteParams, Reason};
use squall_daemon::Timing;
use squall_faults::mutants::Mutant;
use squall_proto::squall::cri::v1 as cri;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};

use super::addresses::AddressPool;
use super::probes;
use super::runtime_client::Runtime;
use super::steps::{self, moment};
use crate::lifecycle::{
    Addresses, Busy, ProbeReport, PullFailure, ReadinessRule, StartProblem, Step, Told, Views, all_containers, decide,
    probes_of,
};

/// Maximum number of messages queued for a worker.
const QUEUE: usize = 256;
/// Delay before a failed report is retried.
const RETRY: Duration = Duration::from_millis(50);

/// The clients and settings that all workers share.
#[derive(Clone)]
pub struct Tools {
    pub client: Client,
    pub runtime: Runtime,
    pub recorder: Recorder,
    pub timing: Timing,
    pub host_ip: String,
    pub addresses: Arc<Mutex<AddressPool>>,
    pub services: Cache<Service>,
}

/// A message to a worker. Containers are identified by their index among all containers of the pod.
pub enum Message {
    /// The pod has changed.
    Pod(Arc<Pod>),
    /// The runtime holds exactly these containers of the pod.
    Containers(Vec<cri::Container>),
    /// A container has started or ended.
    Container(cri::Container),
    /// An image is present, or could not be obtained.
    Pulled(usize, Result<String, PullFailure>),
    /// A start has succeeded or failed.
    Started(usize, Result<cri::Container, StartProblem>),
    /// A probe has a result.
    Probed(ProbeReport),
}

/// Starts the worker of a pod.
pub fn start(tools: Tools, pod: Arc<Pod>) -> (mpsc::Sender<Message>, JoinHandle<()>) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let count = all_containers(&pod).count();
    let probing = (0..count).map(|_| Probing::default()).collect();
    let address = Some(pod.status.pod_ip.clone()).filter(|address| !address.is_empty());
    let rule = if Mutant::NoReadiness.is_on() { ReadinessRule::Assumed } else { ReadinessRule::Probed };
    let views = Views::new(&pod, rule);
    let worker =
        Worker { tools, pod, views, probing, address, inbox: sender.clone(), told: Vec::new(), finished: false };
    let task = tokio::spawn(worker.run(receiver));
    (sender, task)
}

/// The running probes of one container. Dropping this stops them.
#[derive(Default)]
struct Probing {
    container: String,
    tasks: JoinSet<()>,
}

struct Worker {
    tools: Tools,
    pod: Arc<Pod>,
    views: Views,
    probing: Vec<Probing>,
    address: Option<String>,
    inbox: mpsc::Sender<Message>,
    /// The events recorded since the status was last written.
    told: Vec<Told>,
    finished: bool,
}

impl Worker {
    async fn run(mut self, mut receiver: mpsc::Receiver<Message>) {
        let mut wake: Option<tokio::time::Instant> = None;
        // The first decision needs the runtime's containers, or the pod itself if it is new.
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
        let (timing, now) = (self.tools.timing, squall_faults::now());
        match message {
            Message::Pod(pod) => self.changed(pod),
            Message::Containers(containers) => {
                containers.iter().for_each(|container| self.note_address(container));
                self.views.reconciled(&self.pod, containers, now);
                (0..self.probing.len()).for_each(|index| self.probe(index));
            }
            Message::Container(container) => self.note(container),
            Message::Pulled(index, result) => self.views.pulled(index, result, &timing, now),
            Message::Started(index, Ok(container)) => {
                self.views.of(index).busy = Busy::No;
                self.note(container);
            }
            Message::Started(index, Err(problem)) => {
                tracing::warn!(pod = self.pod.metadata.name, ?problem, "could not start a container");
                let told = self.views.start_failed(index, problem, &timing, now);
                self.tell(told);
            }
            Message::Probed(report) => {
                let index = report.index;
                let had_started = self.views.all()[index].started;
                if let Some(told) = self.views.probed(&self.pod, report) {
                    self.tell(told);
                }
                if self.views.all()[index].started != had_started {
                    // From now on, the other probes run.
                    self.probing[index].container.clear();
                    self.probe(index);
                }
            }
        }
    }

    /// Takes over a newer version of the pod. The watch may still show one that is older than our last write.
    fn changed(&mut self, pod: Arc<Pod>) {
        let version = |pod: &Pod| parse_resource_version(&pod.metadata.resource_version).unwrap_or(0);
        if version(&pod) >= version(&self.pod) {
            self.views.pod_changed(&self.pod, &pod);
            self.pod = pod;
        }
    }

    /// A container of the pod's spec.
    fn container(&self, index: usize) -> Option<&Container> {
        all_containers(&self.pod).nth(index).map(|(_, container)| container)
    }

    fn note_address(&mut self, container: &cri::Container) {
        self.address.get_or_insert_with(|| container.pod_ip.clone());
    }

    fn note(&mut self, container: cri::Container) {
        self.note_address(&container);
        if let Some(index) = self.views.noted(&self.pod, container) {
            self.probe(index);
        }
    }

    /// Probes the container that is running now, and no other.
    fn probe(&mut self, index: usize) {
        let view = &self.views.all()[index];
        let running = view.current.as_ref().filter(|current| current.exit.is_none());
        let id = running.map(|current| current.id.clone()).unwrap_or_default();
        if self.probing[index].container == id {
            return;
        }
        let (started, started_at) = (view.started, running.map(|current| moment(current.started_at)));
        self.probing[index] = Probing { container: id.clone(), tasks: JoinSet::new() };
        let (Some(step), Some(started_at)) = (self.step_of(index), started_at) else { return };
        for (kind, probe) in probes_of(&step.container, started) {
            let (inbox, asked, container) = (self.inbox.clone(), step.asked(&id), id.clone());
            // If the queue is full, the result is dropped; the next one follows.
            let tell = move |outcome, settled| {
                let report = ProbeReport { index, container: container.clone(), kind, outcome, settled };
                drop(inbox.try_send(Message::Probed(report)));
            };
            self.probing[index].tasks.spawn(probes::run(probe, asked, started_at, tell));
        }
    }

    fn object(&self, index: usize) -> ObjectId {
        let mut object = ObjectId::of(self.pod.as_ref());
        let part = if index < self.pod.spec.init_containers.len() { "initContainers" } else { "containers" };
        let name = self.container(index).map_or("", |container| &container.name);
        object.field_path = format!("spec.{part}{{{name}}}");
        object
    }

    fn tell(&self, told: Told) {
        let Told { container, event_type, reason, message } = told;
        let object = container.map_or_else(|| ObjectId::of(self.pod.as_ref()), |index| self.object(index));
        self.tools.recorder.record(Happening { object, event_type, reason, message });
    }

    /// Decides, acts and reports. Returns when to do so again.
    async fn look(&mut self) -> Option<tokio::time::Instant> {
        if self.address.is_none() {
            self.address = self.tools.addresses.lock().unwrap_or_else(PoisonError::into_inner).any();
        }
        let now = squall_faults::now();
        let addresses = Addresses { pod_ip: self.address.as_deref().unwrap_or_default(), host_ip: &self.tools.host_ip };
        let decision = decide(&self.pod, self.views.all(), addresses, &self.tools.timing, now);
        for step in &decision.steps {
            self.step(step);
        }
        for told in decision.told {
            // The events follow from the stored status: until the new status is written, they come up again.
            if !self.told.contains(&told) {
                self.tell(told.clone());
                self.told.push(told);
            }
        }
        let reported = decision.status == self.pod.status || self.report(decision.status).await;
        if reported {
            self.told.clear();
        } else {
            return Some(later(tokio::time::Instant::now(), RETRY));
        }
        if decision.steps.contains(&Step::Finish) {
            self.finished = self.finish().await;
            return (!self.finished).then(|| later(tokio::time::Instant::now(), RETRY));
        }
        let wait = decision.wake_at.map(|at| Duration::try_from(at.duration_since(now)).unwrap_or_default());
        wait.map(|wait| later(tokio::time::Instant::now(), wait))
    }

    fn step_of(&self, index: usize) -> Option<steps::Step> {
        Some(steps::Step {
            tools: self.tools.clone(),
            inbox: self.inbox.clone(),
            index,
            container: self.container(index)?.clone(),
            object: self.object(index),
            pod_ip: self.address.clone().unwrap_or_default(),
        })
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Pull(index) => {
                self.views.of(index).busy = Busy::Pulling;
                self.step_of(index).into_iter().for_each(steps::Step::pull);
            }
            Step::Start(index, attempt) => {
                self.views.of(index).busy = Busy::Starting;
                self.step_of(index).into_iter().for_each(|step| step.start(self.pod.clone(), attempt));
            }
            Step::Stop(index, grace) => {
                self.views.of(index).stopping = Some(grace);
                let id = self.views.all()[index].current.as_ref().map(|current| current.id.clone());
                if let (Some(step), Some(id)) = (self.step_of(index), id) {
                    step.stop(id, grace);
                }
            }
            Step::Finish => {}
        }
    }

    /// Writes the status, and returns whether that succeeded. After a conflict, reads the pod again.
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
            // Force-deleted: the watch will report it.
            Err(error) if error.is_not_found() => true,
            Err(error) => {
                tracing::debug!(%error, "could not report a pod's status");
                false
            }
        }
    }

    /// Removes the pod from the runtime and from the cluster. Returns whether that succeeded.
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
