//! The known state of a pod's containers, and how each report changes it. Pure: the worker only carries the reports.

use jiff::Timestamp;
use squall_api::core::v1::{Container, Pod, Probe};
use squall_api::happening::EventType;
use squall_api::metav1::v1::Time;
use squall_daemon::Timing;
use squall_proto::squall::cri::v1 as cri;

use super::backoff::{after, pull_wait};
use super::reports::{Problem, PullFailure, StartProblem};
use super::status::{ID_SCHEME, container_id};
use super::{Busy, ContainerView, Failure, Image, ProbeKind, Role, Told, Unhealthy, all_containers};

/// Exit code of a container that was killed with its runtime (128 + SIGKILL).
const KILLED: i32 = 137;

/// Whether the readiness of containers follows their probes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadinessRule {
    /// As Kubernetes has it.
    Probed,
    /// Every running container is ready: a protection is left out on purpose.
    Assumed,
}

/// The result of one probe attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeReport {
    /// The container's index.
    pub index: usize,
    /// The ID of the container that was probed: the result may be of an attempt that is over.
    pub container: String,
    /// The kind of the probe.
    pub kind: ProbeKind,
    /// The result.
    pub outcome: Result<(), Problem>,
    /// The verdict, once the results have reached a threshold.
    pub settled: Option<bool>,
}

/// The known state of each container of a pod, in the order of [`all_containers`].
#[derive(Debug, Clone)]
pub struct Views {
    all: Vec<ContainerView>,
    rule: ReadinessRule,
}

impl Views {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(pod: &Pod, rule: ReadinessRule) -> Self {
        Self { all: vec![ContainerView::default(); all_containers(pod).count()], rule }
    }

    /// The views, for a decision.
    #[must_use]
    pub fn all(&self) -> &[ContainerView] {
        &self.all
    }

    /// One of them, to record that a step has begun.
    pub fn of(&mut self, index: usize) -> &mut ContainerView {
        &mut self.all[index]
    }

    /// Takes in a newer version of the pod. A failure to obtain an old image says nothing about a new one.
    pub fn pod_changed(&mut self, old: &Pod, new: &Pod) {
        let images = all_containers(old).zip(all_containers(new));
        for (view, ((_, old), (_, new))) in self.all.iter_mut().zip(images) {
            if old.image != new.image {
                view.image = Image::Unknown;
            }
        }
    }

    /// Takes in all containers that the runtime holds. A running container that is missing was killed with the runtime.
    pub fn reconciled(&mut self, pod: &Pod, mut containers: Vec<cri::Container>, now: Timestamp) {
        for (view, (role, spec)) in self.all.iter_mut().zip(all_containers(pod)) {
            // Kubernetes: init containers run again when their pod's sandbox is lost.
            let is_held = containers.iter().any(|container| container.name == spec.name);
            if view.current.is_none() && !is_held && role != Role::Init {
                view.current = remembered(pod, spec);
            }
            if let Some(current) = view.current.as_mut().filter(|current| current.exit.is_none())
                && !containers.iter().any(|container| container.id == current.id)
            {
                let finished_at = i64::try_from(now.as_nanosecond()).unwrap_or(i64::MAX);
                let reason = "ContainerStatusUnknown".to_owned();
                current.exit = Some(cri::Exit { code: KILLED, finished_at, reason });
                view.image = Image::Unknown;
                view.busy = Busy::No;
            }
        }
        containers.sort_by_key(|container| container.attempt);
        for container in containers {
            self.noted(pod, container);
        }
    }

    /// Takes in a container that has started or ended. Returns its index, if it belongs to the pod.
    pub fn noted(&mut self, pod: &Pod, container: cri::Container) -> Option<usize> {
        let named = all_containers(pod).enumerate().find(|(_, (_, spec))| spec.name == container.name);
        let (index, (role, spec)) = named?;
        let view = &mut self.all[index];
        match &view.current {
            Some(current) if current.id == container.id => {
                // The end may be reported before the start.
                if current.exit.is_none() {
                    view.current = Some(container);
                }
            }
            Some(current) if current.attempt > container.attempt => {}
            Some(_) | None => self.begin(pod, index, (role, spec), container),
        }
        Some(index)
    }

    /// A new attempt. A container that was ready before its kubelet restarted is still ready.
    fn begin(&mut self, pod: &Pod, index: usize, (role, spec): (Role, &Container), container: cri::Container) {
        let statuses = pod.status.container_statuses.iter().chain(&pod.status.init_container_statuses);
        let before = statuses.into_iter().find(|status| status.container_id == container_id(&container.id));
        let init = role == Role::Init;
        let unprobed = spec.readiness_probe.is_none() || self.rule == ReadinessRule::Assumed;
        let view = &mut self.all[index];
        view.begin(container);
        view.ready = init || unprobed || before.is_some_and(|status| status.ready);
        view.started =
            init || spec.startup_probe.is_none() || before.is_some_and(|status| status.started == Some(true));
        if let Some(before) = before {
            view.image_id.clone_from(&before.image_id);
        }
    }

    /// Takes in the result of a probe. Returns the event that it makes; a result of an earlier attempt makes none.
    pub fn probed(&mut self, pod: &Pod, report: ProbeReport) -> Option<Told> {
        let ProbeReport { index, container, kind, outcome, settled } = report;
        if self.all[index].current.as_ref().is_none_or(|current| current.id != container) {
            return None;
        }
        let told = outcome.err().map(|problem| {
            let message = match problem {
                Problem::Failed(problem) => format!("{kind:?} probe failed: {problem}"),
                Problem::Error(problem) => {
                    format!("{kind:?} probe errored and resulted in unknown state: {problem}")
                }
            };
            warning(Some(index), "Unhealthy", message)
        });
        let view = &mut self.all[index];
        match (kind, settled) {
            (ProbeKind::Readiness, Some(ready)) => view.ready = ready || self.rule == ReadinessRule::Assumed,
            (ProbeKind::Startup, Some(true)) => view.started = true,
            (ProbeKind::Liveness | ProbeKind::Startup, Some(false)) => {
                // Kubernetes: the containers of a deleted pod are not restarted.
                if pod.metadata.deletion_timestamp.is_none() {
                    let grace_seconds = grace_seconds(pod, index, kind);
                    view.unhealthy.get_or_insert(Unhealthy { probe: kind, grace_seconds });
                }
            }
            (ProbeKind::Liveness, Some(true)) | (_, None) => {}
        }
        told
    }

    /// Takes in the result of a pull.
    pub fn pulled(&mut self, index: usize, result: Result<String, PullFailure>, timing: &Timing, now: Timestamp) {
        let view = &mut self.all[index];
        view.busy = Busy::No;
        view.image = match result {
            Ok(id) => {
                view.image_id = id;
                Image::Present
            }
            Err(PullFailure { reason, message }) => {
                let failures = match &view.image {
                    Image::Failed(failure) => failure.failures.saturating_add(1),
                    Image::Unknown | Image::Present => 1,
                };
                Image::Failed(failure(reason, message, failures, timing, now))
            }
        };
    }

    /// Takes in a start that failed. Returns the event that it makes.
    pub fn start_failed(&mut self, index: usize, problem: StartProblem, timing: &Timing, now: Timestamp) -> Told {
        let view = &mut self.all[index];
        view.busy = Busy::No;
        let before = view.start_failure.as_ref().map_or(0, |failure| failure.failures);
        // Missing objects are looked up at a constant interval; runtime failures back off.
        let (reason, message, failures, told) = match problem {
            StartProblem::Volume(problem) => {
                ("ContainerCreating", String::new(), 1, warning(None, "FailedMount", problem))
            }
            StartProblem::Config(problem) => {
                let told = warning(Some(index), "Failed", format!("Error: {problem}"));
                ("CreateContainerConfigError", problem, 1, told)
            }
            StartProblem::Runtime(problem) => {
                let told = warning(Some(index), "Failed", format!("Error: {problem}"));
                ("RunContainerError", problem, before.saturating_add(1), told)
            }
        };
        view.start_failure = Some(failure(reason, message, failures, timing, now));
        told
    }
}

/// Returns the last attempt of a container that the pod's status shows, for a kubelet that has just started.
fn remembered(pod: &Pod, spec: &Container) -> Option<cri::Container> {
    let statuses = pod.status.container_statuses.iter().chain(&pod.status.init_container_statuses);
    let status = statuses.into_iter().find(|status| status.name == spec.name)?;
    let nanos = |time: Time| i64::try_from(time.timestamp().as_nanosecond()).unwrap_or(i64::MAX);
    let (started_at, exit) = match (&status.state.running, &status.state.terminated, &status.last_state.terminated) {
        (Some(running), _, _) => (running.started_at, None),
        (None, Some(ended), _) | (None, None, Some(ended)) => {
            let (code, finished_at, reason) = (ended.exit_code, nanos(ended.finished_at), ended.reason.clone());
            (ended.started_at, Some(cri::Exit { code, finished_at, reason }))
        }
        (None, None, None) => return None,
    };
    Some(cri::Container {
        id: status.container_id.trim_start_matches(ID_SCHEME).to_owned(),
        pod_uid: pod.metadata.uid.clone(),
        pod_namespace: pod.metadata.namespace.clone(),
        pod_name: pod.metadata.name.clone(),
        pod_ip: pod.status.pod_ip.clone(),
        name: spec.name.clone(),
        image: status.image.clone(),
        attempt: status.restart_count,
        started_at: nanos(started_at),
        exit,
    })
}

/// The grace period that a failed probe gives its container, if the probe has one of its own.
fn grace_seconds(pod: &Pod, index: usize, kind: ProbeKind) -> Option<i64> {
    let (_, container) = all_containers(pod).nth(index)?;
    let probe = match kind {
        ProbeKind::Startup => &container.startup_probe,
        ProbeKind::Liveness | ProbeKind::Readiness => &container.liveness_probe,
    };
    probe.as_ref()?.termination_grace_period_seconds
}

/// The probes that run beside a container now. Until it has started, only its startup probe runs.
#[must_use]
pub fn probes_of(container: &Container, started: bool) -> Vec<(ProbeKind, Probe)> {
    let wanted = match started {
        false => vec![(ProbeKind::Startup, &container.startup_probe)],
        true => {
            vec![(ProbeKind::Readiness, &container.readiness_probe), (ProbeKind::Liveness, &container.liveness_probe)]
        }
    };
    wanted.into_iter().filter_map(|(kind, probe)| Some((kind, probe.clone()?))).collect()
}

fn warning(container: Option<usize>, reason: &'static str, message: String) -> Told {
    Told { container, event_type: EventType::Warning, reason, message }
}

/// A failure, with its retry time by the number of consecutive failures.
fn failure(reason: &'static str, message: String, failures: u32, timing: &Timing, since: Timestamp) -> Failure {
    let retry_at = after(since, pull_wait(failures, timing));
    Failure { reason, message, since, retry_at, failures }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use squall_api::{Kind, Object};
    use squall_daemon::Timing;

    use super::*;

    fn pod() -> Pod {
        let probe = json!({"httpGet": {"path": "/", "port": 8080}, "terminationGracePeriodSeconds": 7});
        let json = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "kubia", "uid": "u"}, "spec": {
            "initContainers": [{"name": "init", "image": "x"}],
            "containers": [{"name": "main", "image": "x", "readinessProbe": probe, "livenessProbe": probe,
                "startupProbe": probe}]}});
        Pod::try_from(Object::from_json(Kind::Pod, json).unwrap()).unwrap()
    }

    fn attempt(id: &str, number: i32, exit: Option<i32>) -> cri::Container {
        cri::Container {
            id: id.to_owned(),
            name: "main".to_owned(),
            attempt: number,
            exit: exit.map(|code| cri::Exit { code, ..cri::Exit::default() }),
            ..cri::Container::default()
        }
    }

    fn running() -> Views {
        let mut views = Views::new(&pod(), ReadinessRule::Probed);
        assert_eq!(views.noted(&pod(), attempt("a", 0, None)), Some(1));
        views
    }

    fn report(container: &str, kind: ProbeKind, passed: bool, settled: bool) -> ProbeReport {
        let outcome = if passed { Ok(()) } else { Err(Problem::Failed("HTTP 500".to_owned())) };
        ProbeReport { index: 1, container: container.to_owned(), kind, outcome, settled: settled.then_some(passed) }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn an_end_that_is_reported_before_its_start_stays_and_an_older_attempt_changes_nothing() {
        let mut views = running();
        views.noted(&pod(), attempt("b", 1, Some(3)));
        views.noted(&pod(), attempt("b", 1, None));
        views.noted(&pod(), attempt("a", 0, None));
        let view = &views.all()[1];
        assert_eq!(view.current.as_ref().and_then(|current| current.exit.as_ref()).map(|exit| exit.code), Some(3));
        assert_eq!(view.ended.iter().map(|ended| ended.id.as_str()).collect::<Vec<_>>(), ["a"]);
        assert_eq!(views.noted(&pod(), cri::Container { name: "other".to_owned(), ..attempt("c", 0, None) }), None);
    }

    #[test]
    fn a_container_that_the_runtime_no_longer_holds_was_killed_with_it() {
        let mut views = running();
        views.of(1).busy = Busy::Starting;
        views.reconciled(&pod(), Vec::new(), at(9));
        let view = &views.all()[1];
        let exit = view.current.as_ref().and_then(|current| current.exit.clone()).unwrap();
        assert_eq!((exit.code, exit.reason.as_str(), exit.finished_at), (137, "ContainerStatusUnknown", 9_000_000_000));
        assert_eq!(view.busy, Busy::No);
    }

    #[test]
    fn a_kubelet_that_returns_with_an_empty_runtime_knows_from_the_status_what_ran() {
        let found = |state: serde_json::Value| {
            let mut pod = pod();
            let mut status = json!({"name": "main", "containerID": "squall://a", "restartCount": 2});
            status.as_object_mut().unwrap().extend(state.as_object().unwrap().clone());
            pod.status.container_statuses.push(serde_json::from_value(status).unwrap());
            let mut views = Views::new(&pod, ReadinessRule::Probed);
            views.reconciled(&pod, Vec::new(), at(9));
            let current = views.all()[1].current.clone()?;
            let exit = current.exit.unwrap_or_default();
            Some((current.id, current.attempt, exit.code, exit.reason))
        };
        let lost = Some(("a".to_owned(), 2, 137, "ContainerStatusUnknown".to_owned()));
        assert_eq!(found(json!({"state": {"running": {"startedAt": "1970-01-01T00:00:05Z"}}})), lost);
        let ended = json!({"terminated": {"exitCode": 3, "reason": "Error"}});
        let known = Some(("a".to_owned(), 2, 3, "Error".to_owned()));
        assert_eq!(found(json!({"state": ended})), known);
        assert_eq!(found(json!({"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": ended})), known);
        assert_eq!(found(json!({"state": {"waiting": {"reason": "ContainerCreating"}}})), None);
    }

    #[test]
    fn readiness_follows_the_probe_unless_that_protection_is_left_out() {
        for (rule, first, then) in [(ReadinessRule::Probed, false, false), (ReadinessRule::Assumed, true, true)] {
            let mut views = Views::new(&pod(), rule);
            views.noted(&pod(), attempt("a", 0, None));
            assert_eq!(views.all()[1].ready, first);
            views.probed(&pod(), report("a", ProbeKind::Readiness, true, true));
            assert!(views.all()[1].ready);
            views.probed(&pod(), report("a", ProbeKind::Readiness, false, true));
            assert_eq!(views.all()[1].ready, then);
        }
    }

    #[test]
    fn what_a_restarted_kubelet_finds_is_as_ready_as_it_was() {
        let mut pod = pod();
        let status =
            json!({"name": "main", "containerID": "squall://a", "ready": true, "started": true, "imageID": "i"});
        pod.status.container_statuses.push(serde_json::from_value(status).unwrap());
        let mut views = Views::new(&pod, ReadinessRule::Probed);
        views.noted(&pod, attempt("a", 0, None));
        let view = &views.all()[1];
        assert!(view.ready && view.started && view.image_id == "i");
    }

    #[test]
    fn a_failed_probe_makes_an_event_and_at_its_threshold_a_restart() {
        let mut views = running();
        let told = views.probed(&pod(), report("a", ProbeKind::Liveness, false, false)).unwrap();
        assert_eq!((told.reason, told.message.as_str()), ("Unhealthy", "Liveness probe failed: HTTP 500"));
        assert_eq!(views.all()[1].unhealthy, None);
        views.probed(&pod(), report("a", ProbeKind::Liveness, false, true));
        let unhealthy = Unhealthy { probe: ProbeKind::Liveness, grace_seconds: Some(7) };
        assert_eq!(views.all()[1].unhealthy, Some(unhealthy));
        assert_eq!(views.probed(&pod(), report("gone", ProbeKind::Liveness, false, true)), None, "another attempt");
    }

    #[test]
    fn the_containers_of_a_deleted_pod_are_not_restarted() {
        let (mut views, mut pod) = (running(), pod());
        pod.metadata.deletion_timestamp = Some(Time { seconds: 1, nanos: 0 });
        assert!(views.probed(&pod, report("a", ProbeKind::Liveness, false, true)).is_some());
        assert_eq!(views.all()[1].unhealthy, None);
    }

    #[test]
    fn only_the_startup_probe_runs_until_it_has_passed() {
        let (pod, mut views) = (pod(), running());
        let kinds = |views: &Views| -> Vec<ProbeKind> {
            probes_of(&pod.spec.containers[0], views.all()[1].started).into_iter().map(|(kind, _)| kind).collect()
        };
        assert_eq!(kinds(&views), [ProbeKind::Startup]);
        views.probed(&pod, report("a", ProbeKind::Startup, true, true));
        assert_eq!(kinds(&views), [ProbeKind::Readiness, ProbeKind::Liveness]);
    }

    #[test]
    fn pulls_back_off_and_a_new_image_forgets_the_failures() {
        let (mut views, timing) = (running(), Timing::KUBERNETES);
        let failed = || Err(PullFailure { reason: "ErrImagePull", message: "no".to_owned() });
        let mut waits = Vec::new();
        for _ in 0..3 {
            views.pulled(1, failed(), &timing, at(100));
            let Image::Failed(failure) = &views.all()[1].image else { panic!("it failed") };
            waits.push(failure.retry_at.as_second() - 100);
        }
        assert_eq!(waits, [10, 20, 40]);
        let mut new = pod();
        new.spec.containers[0].image = "y".to_owned();
        views.pod_changed(&pod(), &new);
        assert_eq!(views.all()[1].image, Image::Unknown);
        views.pulled(1, Ok("id".to_owned()), &timing, at(100));
        assert_eq!((&views.all()[1].image, views.all()[1].image_id.as_str()), (&Image::Present, "id"));
    }

    #[test]
    fn failed_starts_have_kubernetes_reasons_and_only_the_runtimes_back_off() {
        let (mut views, timing) = (running(), Timing::KUBERNETES);
        let problem = || "gone".to_owned();
        for (start_problem, reason, event, about, waits) in [
            (StartProblem::Volume(problem()), "ContainerCreating", "FailedMount", None, [10, 10]),
            (StartProblem::Config(problem()), "CreateContainerConfigError", "Failed", Some(1), [10, 10]),
            (StartProblem::Runtime(problem()), "RunContainerError", "Failed", Some(1), [10, 20]),
        ] {
            views.of(1).start_failure = None;
            for wait in waits {
                let told = views.start_failed(1, start_problem.clone(), &timing, at(100));
                assert_eq!((told.reason, told.container), (event, about));
                let failure = views.all()[1].start_failure.as_ref().unwrap();
                assert_eq!((failure.reason, failure.retry_at.as_second() - 100), (reason, wait), "{start_problem:?}");
            }
        }
    }
}
