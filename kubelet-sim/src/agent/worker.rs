//! The worker of one pod: decides, starts the steps, and reports the status.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use squall_api::core::v1::{Container, Pod, Probe};
use squall_api::meta::parse_resource_version;
use squall_client::events::{EventType, Happening, ObjectId, Recorder};
use squall_client::{Api, Client, DeleteParams, Reason};
use squall_daemon::Timing;
use squall_faults::mutants::Mutant;
use squall_proto::squall::cri::v1 as cri;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};

use super::addresses::AddressPool;
use super::config::StartProblem;
use super::hooks::Problem;
use super::images::PullFailure;
use super::probes::{self, Found};
use super::runtime_client::Runtime;
use super::steps::{self, moment};
use crate::lifecycle::{
    Busy, ContainerView, Failure, Image, Place, ProbeKind, Role, Step, Told, Unhealthy, all_containers, container_id,
    decide, pull_wait,
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
    /// A probe of the container with this id has a result.
    Probed(usize, String, ProbeKind, Found, Option<bool>),
}

/// Starts the worker of a pod.
pub fn start(tools: Tools, pod: Arc<Pod>) -> (mpsc::Sender<Message>, JoinHandle<()>) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let count = all_containers(&pod).count();
    let probing = (0..count).map(|_| Probing::default()).collect();
    let address = Some(pod.status.pod_ip.clone()).filter(|address| !address.is_empty());
    let views = vec![ContainerView::default(); count];
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
    /// One for each container of the pod.
    views: Vec<ContainerView>,
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
        match message {
            Message::Pod(pod) => self.changed(pod),
            Message::Containers(containers) => self.reconcile(containers),
            Message::Container(container) => self.note(container),
            Message::Pulled(index, result) => self.pulled(index, result),
            Message::Started(index, result) => self.started(index, result),
            Message::Probed(index, id, kind, found, settled) => {
                // The result may belong to an attempt that is over.
                if self.views[index].current.as_ref().is_some_and(|current| current.id == id) {
                    self.probed(index, kind, found, settled);
                }
            }
        }
    }

    /// Takes over a newer version of the pod. The watch may still show one that is older than our last write.
    fn changed(&mut self, pod: Arc<Pod>) {
        let version = |pod: &Pod| parse_resource_version(&pod.metadata.resource_version).unwrap_or(0);
        if version(&pod) < version(&self.pod) {
            return;
        }
        let images = all_containers(&self.pod).zip(all_containers(&pod));
        for (view, ((_, old), (_, new))) in self.views.iter_mut().zip(images) {
            if old.image != new.image {
                // A failure to obtain the old image says nothing about the new one.
                view.image = Image::Unknown;
            }
        }
        self.pod = pod;
    }

    /// A container of the pod's spec.
    fn container(&self, index: usize) -> Option<&Container> {
        all_containers(&self.pod).nth(index).map(|(_, container)| container)
    }

    /// Takes over the runtime's containers. A container that is missing there was killed with the runtime.
    fn reconcile(&mut self, mut containers: Vec<cri::Container>) {
        for view in &mut self.views {
            if let Some(current) = view.current.as_mut().filter(|current| current.exit.is_none())
                && !containers.iter().any(|container| container.id == current.id)
            {
                let now = i64::try_from(squall_faults::now().as_nanosecond()).unwrap_or(i64::MAX);
                current.exit =
                    Some(cri::Exit { code: 137, finished_at: now, reason: "ContainerStatusUnknown".to_owned() });
                view.image = Image::Unknown;
                view.busy = Busy::No;
            }
        }
        containers.sort_by_key(|container| container.attempt);
        for container in containers {
            self.note(container);
        }
    }

    fn note(&mut self, container: cri::Container) {
        let found = all_containers(&self.pod).enumerate().find(|(_, (_, spec))| spec.name == container.name);
        let Some((index, (role, spec))) = found else { return };
        self.address.get_or_insert_with(|| container.pod_ip.clone());
        let view = &mut self.views[index];
        match &view.current {
            Some(current) if current.id == container.id => {
                // The end may be reported before the start.
                if current.exit.is_none() {
                    view.current = Some(container);
                }
            }
            Some(current) if current.attempt > container.attempt => {}
            _ => {
                // A container that was ready before its kubelet restarted is still ready.
                let statuses =
                    self.pod.status.container_statuses.iter().chain(&self.pod.status.init_container_statuses);
                let before = statuses.into_iter().find(|status| status.container_id == container_id(&container.id));
                let init = role == Role::Init;
                view.begin(container);
                let unprobed = spec.readiness_probe.is_none() || Mutant::NoReadiness.is_on();
                view.ready = init || unprobed || before.is_some_and(|status| status.ready);
                view.started =
                    init || spec.startup_probe.is_none() || before.is_some_and(|status| status.started == Some(true));
                if let Some(before) = before {
                    view.image_id.clone_from(&before.image_id);
                }
            }
        }
        self.probe(index);
    }

    /// Probes the container that is running now, and no other. Until it has started, only its startup probe runs.
    fn probe(&mut self, index: usize) {
        let view = &self.views[index];
        let running = view.current.as_ref().filter(|current| current.exit.is_none());
        let id = running.map(|current| current.id.clone()).unwrap_or_default();
        if self.probing[index].container == id {
            return;
        }
        let started_at = running.map(|current| moment(current.started_at)).unwrap_or_default();
        self.probing[index] = Probing { container: id.clone(), tasks: JoinSet::new() };
        let Some(spec) = self.container(index).cloned() else { return };
        if id.is_empty() {
            return;
        }
        let probes: Vec<(ProbeKind, Option<Probe>)> = match view.started {
            false => vec![(ProbeKind::Startup, spec.startup_probe)],
            true => vec![(ProbeKind::Readiness, spec.readiness_probe), (ProbeKind::Liveness, spec.liveness_probe)],
        };
        for (kind, probe) in probes {
            let (Some(probe), Some(step)) = (probe, self.step_of(index)) else { continue };
            let (inbox, asked, id) = (self.inbox.clone(), step.asked(&id), id.clone());
            // If the queue is full, the result is dropped; the next one follows.
            let tell = move |found, settled| {
                drop(inbox.try_send(Message::Probed(index, id.clone(), kind, found, settled)));
            };
            self.probing[index].tasks.spawn(probes::run(probe, asked, started_at, tell));
        }
    }

    fn probed(&mut self, index: usize, kind: ProbeKind, found: Found, settled: Option<bool>) {
        match found {
            Ok(()) => {}
            Err(Problem::Failed(problem)) => {
                self.tell(Some(index), EventType::Warning, "Unhealthy", format!("{kind:?} probe failed: {problem}"));
            }
            Err(Problem::Error(problem)) => {
                let message = format!("{kind:?} probe errored and resulted in unknown state: {problem}");
                self.tell(Some(index), EventType::Warning, "Unhealthy", message);
            }
        }
        let grace_seconds = self.container(index).and_then(|container| {
            let probe = if kind == ProbeKind::Startup { &container.startup_probe } else { &container.liveness_probe };
            probe.as_ref().and_then(|probe| probe.termination_grace_period_seconds)
        });
        let deleted = self.pod.metadata.deletion_timestamp.is_some();
        let view = &mut self.views[index];
        match (kind, settled) {
            (ProbeKind::Readiness, Some(ready)) => view.ready = ready || Mutant::NoReadiness.is_on(),
            (ProbeKind::Startup, Some(true)) => {
                view.started = true;
                // From now on, the other probes run.
                self.probing[index].container.clear();
                self.probe(index);
            }
            // Kubernetes: the containers of a deleted pod are not restarted.
            (ProbeKind::Liveness | ProbeKind::Startup, Some(false)) if !deleted => {
                view.unhealthy.get_or_insert(Unhealthy { probe: kind, grace_seconds });
            }
            _ => {}
        }
    }

    fn pulled(&mut self, index: usize, result: Result<String, PullFailure>) {
        let view = &mut self.views[index];
        view.busy = Busy::No;
        view.image = match result {
            Ok(id) => {
                view.image_id = id;
                Image::Present
            }
            Err(PullFailure { reason, message }) => {
                let failures = match &view.image {
                    Image::Failed(failure) => failure.failures + 1,
                    _ => 1,
                };
                Image::Failed(failure(reason, message, failures, &self.tools.timing))
            }
        };
    }

    fn started(&mut self, index: usize, result: Result<cri::Container, StartProblem>) {
        let view = &mut self.views[index];
        view.busy = Busy::No;
        match result {
            Ok(container) => self.note(container),
            Err(problem) => {
                tracing::warn!(pod = self.pod.metadata.name, ?problem, "could not start a container");
                let before = view.start_failure.as_ref().map_or(0, |failure| failure.failures);
                // Missing objects are looked up at a constant interval; runtime failures back off.
                let (reason, message, failures, told) = match problem {
                    StartProblem::Volume(problem) => {
                        ("ContainerCreating", "".into(), 1, (None, "FailedMount", problem))
                    }
                    StartProblem::Config(problem) => {
                        let told = (Some(index), "Failed", format!("Error: {problem}"));
                        ("CreateContainerConfigError", problem, 1, told)
                    }
                    StartProblem::Runtime(problem) => {
                        let told = (Some(index), "Failed", format!("Error: {problem}"));
                        ("RunContainerError", problem, before + 1, told)
                    }
                };
                view.start_failure = Some(failure(reason, message, failures, &self.tools.timing));
                self.tell(told.0, EventType::Warning, told.1, told.2);
            }
        }
    }

    fn object(&self, index: usize) -> ObjectId {
        let mut object = ObjectId::of(self.pod.as_ref());
        let part = if index < self.pod.spec.init_containers.len() { "initContainers" } else { "containers" };
        let name = self.container(index).map_or("", |container| &container.name);
        object.field_path = format!("spec.{part}{{{name}}}");
        object
    }

    fn tell(&self, container: Option<usize>, event_type: EventType, reason: &'static str, message: String) {
        let object = container.map_or_else(|| ObjectId::of(self.pod.as_ref()), |index| self.object(index));
        self.tools.recorder.record(Happening { object, event_type, reason, message });
    }

    /// Decides, acts and reports. Returns when to do so again.
    async fn look(&mut self) -> Option<tokio::time::Instant> {
        if self.address.is_none() {
            self.address = self.tools.addresses.lock().unwrap_or_else(PoisonError::into_inner).any();
        }
        let now = squall_faults::now();
        let place = Place { pod_ip: self.address.as_deref().unwrap_or_default(), host_ip: &self.tools.host_ip };
        let decision = decide(&self.pod, &self.views, place, &self.tools.timing, now);
        for step in &decision.steps {
            self.step(step);
        }
        for told in decision.told {
            // The events follow from the stored status: until the new status is written, they come up again.
            if !self.told.contains(&told) {
                self.tell(told.container, told.event_type, told.reason, told.message.clone());
                self.told.push(told);
            }
        }
        let reported = decision.status == self.pod.status || self.report(decision.status).await;
        if reported {
            self.told.clear();
        } else {
            return Some(tokio::time::Instant::now() + RETRY);
        }
        if decision.steps.contains(&Step::Finish) {
            self.finished = self.finish().await;
            return (!self.finished).then(|| tokio::time::Instant::now() + RETRY);
        }
        let wait = decision.wake_at.map(|at| Duration::try_from(at.duration_since(now)).unwrap_or_default());
        wait.map(|wait| tokio::time::Instant::now() + wait)
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
                self.views[index].busy = Busy::Pulling;
                self.step_of(index).into_iter().for_each(steps::Step::pull);
            }
            Step::Start(index, attempt) => {
                self.views[index].busy = Busy::Starting;
                self.step_of(index).into_iter().for_each(|step| step.start(self.pod.clone(), attempt));
            }
            Step::Stop(index, grace) => {
                self.views[index].stopping = Some(grace);
                let id = self.views[index].current.as_ref().map(|current| current.id.clone());
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

/// Creates a failure. Its retry time depends on the number of consecutive failures.
fn failure(reason: &'static str, message: String, failures: u32, timing: &Timing) -> Failure {
    let since = squall_faults::now();
    let wait = SignedDuration::try_from(pull_wait(failures, timing)).unwrap_or(SignedDuration::MAX);
    let retry_at = since.checked_add(wait).unwrap_or(Timestamp::MAX);
    Failure { reason, message, since, retry_at, failures }
}
