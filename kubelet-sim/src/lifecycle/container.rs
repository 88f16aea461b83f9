//! Decides the next step for one container, and computes its state.

use std::time::Duration;

use squall_api::core::v1::{ContainerState, ContainerStateWaiting, Pod};
use squall_api::duration;
use squall_api::happening::EventType;
use squall_proto::squall::cri::v1 as cri;

use super::backoff::{after, finished_at, restart_wait};
use super::status::{running, terminated};
use super::{Busy, Failure, Image, Look, ProbeKind, Role, Step, Told, Unhealthy};

/// Seconds for which the status shows a pull's error before it shows the back-off.
const ERROR_SECONDS: i64 = 2;

/// Whether a container restarts after an attempt has ended.
pub fn restarts(pod: &Pod, role: Role, ended: &cri::Container) -> bool {
    let failed = ended.exit.as_ref().is_some_and(|exit| exit.code != 0);
    match (role, pod.spec.restart_policy.as_str()) {
        (Role::Sidecar, _) => true,
        (Role::Init, "Never") | (Role::Main, "Never") => false,
        (Role::Init, _) | (Role::Main, "OnFailure") => failed,
        (Role::Main, _) => true,
    }
}

impl Look<'_> {
    /// Returns the state of a container, and adds the step that it needs.
    pub fn state(&mut self, index: usize) -> ContainerState {
        let (role, _, view) = self.slots[index];
        match &view.current {
            Some(current) if current.exit.is_none() => {
                self.stop_if_needed(index, current);
                running(current)
            }
            Some(ended) if self.is_ending() || !restarts(self.pod, role, ended) => terminated(ended),
            Some(ended) if role == Role::Sidecar && self.is_over() => terminated(ended),
            Some(_) if role == Role::Main && !self.has_run_init_containers() => self.crash_loop_over(index),
            Some(ended) => {
                let wait = restart_wait(view, self.timing);
                let due = after(finished_at(ended), wait);
                if self.now < due {
                    self.wake(due);
                    return self.crash_loop(index, wait);
                }
                self.start(index, ended.attempt.saturating_add(1))
            }
            None if self.is_ending() || !self.may_begin(index) => self.not_begun(),
            None => self.start(index, 0),
        }
    }

    /// Whether a container may start: init containers start one after the other, then all others.
    fn may_begin(&self, index: usize) -> bool {
        !self.has_failed_to_initialize() && (0..index).all(|earlier| self.is_initialized(earlier))
    }

    /// Whether the init containers have completed. After the loss of a node they run again, before the others do.
    fn has_run_init_containers(&self) -> bool {
        let mut init = (0..self.slots.len()).filter(|index| self.slots[*index].0 == Role::Init);
        init.all(|index| self.is_initialized(index))
    }

    fn not_begun(&self) -> ContainerState {
        waiting(if self.pod.spec.init_containers.is_empty() { "ContainerCreating" } else { "PodInitializing" }, "")
    }

    /// Stops a container if it has to end, failed a probe, or has another image than the pod specifies. A shorter grace
    /// period replaces the one it was given before.
    fn stop_if_needed(&mut self, index: usize, current: &cri::Container) {
        let (role, container, view) = self.slots[index];
        let own = self.pod.spec.termination_grace_period_seconds.unwrap_or(30);
        let seconds = match view.unhealthy {
            // Kubernetes: sidecars end after the application.
            _ if self.is_ending() && role == Role::Sidecar && !self.is_over() => return,
            _ if self.is_ending() => self.pod.metadata.deletion_grace_period_seconds.unwrap_or(own),
            Some(Unhealthy { grace_seconds, .. }) => grace_seconds.unwrap_or(own),
            None if current.image != container.image => own,
            None if role == Role::Sidecar && self.is_over() => own,
            None => return,
        };
        let grace = self.timing.seconds(seconds);
        if view.stopping.is_some_and(|given| given <= grace) {
            return;
        }
        if view.stopping.is_none() {
            let name = &container.name;
            let message = match view.unhealthy {
                _ if self.is_ending() => format!("Stopping container {name}"),
                Some(Unhealthy { probe: ProbeKind::Startup, .. }) => {
                    format!("Container {name} failed startup probe, will be restarted")
                }
                Some(_) => format!("Container {name} failed liveness probe, will be restarted"),
                None if current.image != container.image => {
                    format!("Container {name} definition changed, will be restarted")
                }
                None => format!("Stopping container {name}"),
            };
            self.told.push(Told { container: Some(index), event_type: EventType::Normal, reason: "Killing", message });
        }
        self.steps.push(Step::Stop(index, grace));
    }

    /// Returns the state of a container that has to start, now or once its image is present.
    fn start(&mut self, index: usize, attempt: i32) -> ContainerState {
        let (_, _, view) = self.slots[index];
        if let Some(failure) = view.start_failure.as_ref().filter(|failure| self.now < failure.retry_at) {
            self.wake(failure.retry_at);
            return waiting(failure.reason, &failure.message);
        }
        match &view.image {
            Image::Failed(failure) if self.now < failure.retry_at => return self.pull_failed(index, failure),
            Image::Present if view.busy == Busy::No => self.steps.push(Step::Start(index, attempt)),
            Image::Unknown | Image::Failed(_) if view.busy == Busy::No => self.steps.push(Step::Pull(index)),
            _ => {}
        }
        // While a pull is retried, the state still shows the last failure.
        match &view.image {
            Image::Failed(failure) => self.pull_failed(index, failure),
            _ if attempt > 0 => self.crash_loop_over(index),
            _ => self.not_begun(),
        }
    }

    /// Returns the state of a container after its back-off: it still shows the back-off until it runs.
    fn crash_loop_over(&self, index: usize) -> ContainerState {
        let (_, container, view) = self.slots[index];
        let before = self.pod.status.container_statuses.iter().chain(&self.pod.status.init_container_statuses);
        let shown = before.into_iter().find(|status| status.name == container.name).map(|status| &status.state);
        match (shown, &view.current) {
            (Some(state), _) if state.waiting.is_some() => state.clone(),
            (_, Some(ended)) => terminated(ended),
            _ => self.not_begun(),
        }
    }

    fn crash_loop(&mut self, index: usize, wait: Duration) -> ContainerState {
        let (name, meta) = (&self.slots[index].1.name, &self.pod.metadata);
        let pod = format!("{}_{}({})", meta.name, meta.namespace, meta.uid);
        let text = duration::format(wait);
        if !self.showed(index, "CrashLoopBackOff") {
            let message = format!("Back-off restarting failed container {name} in pod {pod}");
            self.told.push(Told { container: Some(index), event_type: EventType::Warning, reason: "BackOff", message });
        }
        waiting("CrashLoopBackOff", &format!("back-off {text} restarting failed container={name} pod={pod}"))
    }

    /// Kubernetes shows the error first, and after a while the back-off.
    fn pull_failed(&mut self, index: usize, failure: &Failure) -> ContainerState {
        let until = after(failure.since, self.timing.seconds(ERROR_SECONDS)).min(failure.retry_at);
        if self.now < failure.retry_at {
            self.wake(failure.retry_at);
        }
        if self.now < until {
            self.wake(until);
        }
        if failure.reason != "ErrImagePull" || self.now < until {
            return waiting(failure.reason, &failure.message);
        }
        let image = &self.slots[index].1.image;
        if !self.showed(index, "ImagePullBackOff") {
            let told = |event_type, reason, message| Told { container: Some(index), event_type, reason, message };
            self.told.push(told(EventType::Normal, "BackOff", format!("Back-off pulling image {image:?}")));
            self.told.push(told(EventType::Warning, "Failed", "Error: ImagePullBackOff".to_owned()));
        }
        waiting("ImagePullBackOff", &format!("Back-off pulling image {image:?}: ErrImagePull: {}", failure.message))
    }

    /// Whether the status already shows that the container waits for this reason.
    fn showed(&self, index: usize, reason: &str) -> bool {
        let statuses = self.pod.status.container_statuses.iter().chain(&self.pod.status.init_container_statuses);
        let name = &self.slots[index].1.name;
        statuses
            .filter(|status| status.name == *name)
            .any(|status| status.state.waiting.as_ref().is_some_and(|waiting| waiting.reason == reason))
    }
}

fn waiting(reason: &str, message: &str) -> ContainerState {
    let waiting = ContainerStateWaiting { reason: reason.to_owned(), message: message.to_owned() };
    ContainerState { waiting: Some(waiting), ..ContainerState::default() }
}
