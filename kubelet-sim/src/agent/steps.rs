//! The steps of a pod that take a while: each runs in its own task and sends its result to the worker.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use squall_api::core::v1::{Container, Pod};
use squall_api::happening::{EventType, Happening, ObjectId};
use squall_faults::mutants::Mutant;
use squall_proto::squall::cri::v1 as cri;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::hooks::Asked;
use super::images::Puller;
use super::worker::{Message, Tools};
use super::{config, node};
use crate::environment::{self, Place};
use crate::lifecycle::{Problem, StartProblem};
use crate::service_links;

/// Minimum grace period that is left after a preStop hook, as in Kubernetes.
const LEAST_GRACE_SECONDS: i64 = 2;

/// One container of a pod, with everything needed to take a step for it.
pub struct Step {
    pub tools: Tools,
    pub inbox: mpsc::Sender<Message>,
    /// Its index among the pod's containers.
    pub index: usize,
    pub container: Container,
    /// The object that its events refer to.
    pub object: ObjectId,
    pub pod_ip: String,
}

impl Step {
    /// Gets the image.
    pub fn pull(self) {
        let puller = Puller {
            runtime: self.tools.runtime.clone(),
            recorder: self.tools.recorder.clone(),
            object: self.object.clone(),
            image: self.container.image.clone(),
            policy: self.container.image_pull_policy.clone(),
        };
        tokio::spawn(async move {
            let result = puller.get().await;
            self.say(Message::Pulled(self.index, result)).await;
        });
    }

    /// Starts the container if its config maps and secrets exist, and runs its postStart hook.
    pub fn start(self, pod: Arc<Pod>, attempt: i32) {
        let tcp = self.container.ports.iter().filter(|port| matches!(port.protocol.as_str(), "" | "TCP"));
        let ports = tcp.filter_map(|port| u32::try_from(port.container_port).ok());
        let request = cri::StartContainerRequest {
            pod_uid: pod.metadata.uid.clone(),
            pod_namespace: pod.metadata.namespace.clone(),
            pod_name: pod.metadata.name.clone(),
            pod_ip: self.pod_ip.clone(),
            name: self.container.name.clone(),
            image: self.container.image.clone(),
            attempt,
            ports: ports.collect(),
            command: Vec::new(),
            args: Vec::new(),
            environment: Vec::new(),
            second_nanos: i64::try_from(self.tools.timing.seconds(1).as_nanos()).unwrap_or(i64::MAX),
        };
        tokio::spawn(async move {
            let result = match self.with_environment(request, &pod).await {
                Ok(request) => self.run(request).await.map_err(StartProblem::Runtime),
                Err(problem) => Err(problem),
            };
            let started = result.as_ref().ok().map(|container| container.id.clone());
            if started.is_some() {
                self.tell(EventType::Normal, "Created", format!("Created container: {}", self.container.name));
                self.tell(EventType::Normal, "Started", format!("Started container {}", self.container.name));
            }
            self.say(Message::Started(self.index, result)).await;
            if let Some(id) = started {
                self.post_start(&id).await;
            }
        });
    }

    /// Fills in the variables of the container, and its command with their values.
    async fn with_environment(
        &self,
        request: cri::StartContainerRequest,
        pod: &Pod,
    ) -> Result<cri::StartContainerRequest, StartProblem> {
        let (client, container) = (&self.tools.client, &self.container);
        config::check(client, pod, container).await?;
        let mut contents = config::contents(client, &pod.metadata.namespace, container).await?;
        // Kubernetes: a kubelet that has not seen the services yet starts nothing.
        self.tools.services.wait_for(1).await;
        contents.service_links = service_links::variables(&self.tools.services.all(), pod);
        let place = Place { pod_ip: &self.pod_ip, host_ip: &self.tools.host_ip, node: node::capacity() };
        let variables = environment::variables(pod, container, &contents, place);
        let expanded = |words: &[String]| words.iter().map(|word| environment::expand(word, &variables)).collect();
        let (command, args) = (expanded(&container.command), expanded(&container.args));
        let environment = variables.into_iter().map(|(name, value)| cri::Variable { name, value }).collect();
        Ok(cri::StartContainerRequest { command, args, environment, ..request })
    }

    async fn run(&self, request: cri::StartContainerRequest) -> Result<cri::Container, String> {
        let reply = self.tools.runtime.clone().start_container(request).await;
        let reply = reply.map_err(|status| status.message().to_owned())?.into_inner();
        let container = reply.container.as_ref();
        // Once, however often it restarts.
        for warning in reply.warnings.iter().filter(|_| container.is_some_and(|container| container.attempt == 0)) {
            self.tell(EventType::Warning, "NotAsInKubernetes", warning.clone());
        }
        reply.container.ok_or_else(|| "the runtime returned no container".to_owned())
    }

    /// Runs the postStart hook. As in Kubernetes, a failed hook ends the container.
    async fn post_start(&self, id: &str) {
        let Some(hook) = self.container.lifecycle.as_ref().and_then(|lifecycle| lifecycle.post_start.as_ref()) else {
            return;
        };
        if let Err(problem) = self.asked(id).hook(hook).await {
            self.tell(EventType::Warning, "FailedPostStartHook", format!("PostStartHook failed: {}", text(problem)));
            self.end(id, Duration::ZERO).await;
        }
    }

    /// Runs the preStop hook of a container and asks it to end. The hook's time counts towards the grace period.
    pub fn stop(self, id: String, grace: Duration) {
        tokio::spawn(async move {
            let start = Instant::now();
            let hook = self.container.lifecycle.as_ref().and_then(|lifecycle| lifecycle.pre_stop.clone());
            let mut left = grace;
            if let Some(hook) = hook.filter(|_| !grace.is_zero() && !Mutant::NoDraining.is_on()) {
                match tokio::time::timeout(grace, self.asked(&id).hook(&hook)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(problem)) => {
                        let message = format!("PreStopHook failed: {}", text(problem));
                        self.tell(EventType::Warning, "FailedPreStopHook", message);
                    }
                    Err(_) => {
                        let message = "PreStopHook failed: not completed within the grace period".to_owned();
                        self.tell(EventType::Warning, "FailedPreStopHook", message);
                    }
                }
                let least = self.tools.timing.seconds(LEAST_GRACE_SECONDS);
                left = grace.saturating_sub(start.elapsed()).max(least);
            }
            self.end(&id, left).await;
        });
    }

    async fn end(&self, id: &str, grace: Duration) {
        let grace_period_millis = i64::try_from(grace.as_millis()).unwrap_or(i64::MAX);
        let request = cri::StopContainerRequest { id: id.to_owned(), grace_period_millis };
        if let Err(error) = self.tools.runtime.clone().stop_container(request).await {
            // The runtime is gone, and so are its containers. Its state is read again when it is back.
            tracing::warn!(%error, "could not stop a container");
        }
    }

    /// Returns the container as the target of probes and hooks.
    pub fn asked(&self, id: &str) -> Asked {
        Asked {
            container: self.container.clone(),
            id: id.to_owned(),
            pod_ip: self.pod_ip.clone(),
            runtime: self.tools.runtime.clone(),
            timing: self.tools.timing,
        }
    }

    fn tell(&self, event_type: EventType, reason: &'static str, message: String) {
        self.tools.recorder.record(Happening { object: self.object.clone(), event_type, reason, message });
    }

    async fn say(&self, message: Message) {
        // The worker may be gone.
        drop(self.inbox.send(message).await);
    }
}

fn text(problem: Problem) -> String {
    match problem {
        Problem::Failed(text) | Problem::Error(text) => text,
    }
}

/// Converts nanoseconds since 1970 to a timestamp.
pub fn moment(nanos: i64) -> Timestamp {
    Timestamp::from_nanosecond(nanos.into()).unwrap_or_default()
}
