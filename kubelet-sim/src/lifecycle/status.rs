//! Builds the status of a pod.

use jiff::Timestamp;
use squall_api::core::v1::{
    ContainerState, ContainerStateRunning, ContainerStateTerminated, ContainerStatus, HostIp, PodCondition, PodIp,
    PodStatus,
};
use squall_api::kinds::pod_condition;
use squall_api::metav1::v1::Time;
use squall_proto::squall::cri::v1 as cri;

use super::{Addresses, DEADLINE, Look, Role};

/// The conditions that a kubelet writes, in Kubernetes' order; others are left as they are.
const OWN: [&str; 5] = ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"];

fn time(nanos: i64) -> Time {
    Time::from_timestamp(Timestamp::from_nanosecond(nanos.into()).unwrap_or_default())
}

/// The beginning of each container id in a status.
pub const ID_SCHEME: &str = "squall://";

/// Returns the id of a container as a status shows it.
#[must_use]
pub fn container_id(id: &str) -> String {
    format!("{ID_SCHEME}{id}")
}

/// Returns the state of a running container.
pub fn running(container: &cri::Container) -> ContainerState {
    let running = ContainerStateRunning { started_at: time(container.started_at) };
    ContainerState { running: Some(running), ..ContainerState::default() }
}

/// Returns the state of a container that has ended.
pub fn terminated(container: &cri::Container) -> ContainerState {
    let exit = container.exit.clone().unwrap_or_default();
    let terminated = ContainerStateTerminated {
        exit_code: exit.code,
        reason: exit.reason,
        started_at: time(container.started_at),
        finished_at: time(exit.finished_at),
        container_id: container_id(&container.id),
        ..ContainerStateTerminated::default()
    };
    ContainerState { terminated: Some(terminated), ..ContainerState::default() }
}

/// Returns the status of a pod whose containers have these states.
pub fn status(look: &Look<'_>, states: Vec<ContainerState>, addresses: Addresses<'_>) -> PodStatus {
    let pod = look.pod;
    let statuses: Vec<(Role, ContainerStatus)> = states
        .into_iter()
        .enumerate()
        .map(|(index, state)| (look.slots[index].0, container_status(look, index, state)))
        .collect();
    let phase = phase(look, &statuses);
    let address = addresses.pod_ip.to_owned();
    let conditions = conditions(look, &statuses, phase, !address.is_empty());
    let (main, init): (Vec<_>, Vec<_>) = statuses.into_iter().partition(|(role, _)| *role == Role::Main);
    PodStatus {
        phase: phase.to_owned(),
        conditions,
        host_ip: addresses.host_ip.to_owned(),
        host_ips: vec![HostIp { ip: addresses.host_ip.to_owned() }],
        pod_ips: vec![PodIp { ip: address.clone() }],
        pod_ip: address,
        start_time: Some(pod.status.start_time.unwrap_or_else(|| Time::from_timestamp(look.now))),
        container_statuses: main.into_iter().map(|(_, status)| status).collect(),
        init_container_statuses: init.into_iter().map(|(_, status)| status).collect(),
        qos_class: pod.status.qos_class.clone(),
        observed_generation: pod.metadata.generation,
        reason: if look.expired { DEADLINE.0.to_owned() } else { pod.status.reason.clone() },
        message: if look.expired { DEADLINE.1.to_owned() } else { pod.status.message.clone() },
        ..PodStatus::default()
    }
}

fn container_status(look: &Look<'_>, index: usize, state: ContainerState) -> ContainerStatus {
    let (role, container, view) = look.slots[index];
    let is_running = state.running.is_some();
    let newest = view.current.as_ref();
    let last = if state.terminated.is_some() || is_running { view.ended.last() } else { newest.or(view.ended.last()) };
    let ready = match role {
        // Kubernetes: an init container is ready once it has completed.
        Role::Init => look.is_initialized(index),
        Role::Sidecar | Role::Main => is_running && view.started && view.ready,
    };
    ContainerStatus {
        name: container.name.clone(),
        ready,
        started: Some(is_running && view.started),
        restart_count: newest.map_or(0, |container| container.attempt),
        image: container.image.clone(),
        image_id: view.image_id.clone(),
        container_id: newest.map(|container| container_id(&container.id)).unwrap_or_default(),
        last_state: last.map(terminated).unwrap_or_default(),
        state,
        ..ContainerStatus::default()
    }
}

fn exit_code(status: &ContainerStatus) -> Option<i32> {
    status.state.terminated.as_ref().map(|state| state.exit_code)
}

/// Kubernetes: `getPhase`.
fn phase(look: &Look<'_>, statuses: &[(Role, ContainerStatus)]) -> &'static str {
    let mains = || statuses.iter().filter(|(role, _)| *role == Role::Main).map(|(_, status)| status);
    let started = |status: &ContainerStatus| {
        status.state.running.is_some() || status.state.terminated.is_some() || status.last_state.terminated.is_some()
    };
    if look.expired || look.has_failed_to_initialize() {
        return "Failed";
    }
    if mains().all(|status| exit_code(status).is_some()) && (look.is_finished() || look.is_over()) {
        return if mains().all(|status| exit_code(status) == Some(0)) { "Succeeded" } else { "Failed" };
    }
    if mains().any(started) { "Running" } else { "Pending" }
}

fn conditions(
    look: &Look<'_>,
    statuses: &[(Role, ContainerStatus)],
    phase: &str,
    has_address: bool,
) -> Vec<PodCondition> {
    let names = |wanted: &dyn Fn(usize, &ContainerStatus) -> bool| -> String {
        let chosen = statuses.iter().enumerate().filter(|(index, (_, status))| wanted(*index, status));
        chosen.map(|(_, (_, status))| status.name.as_str()).collect::<Vec<_>>().join(" ")
    };
    let begun = |index: usize| look.slots[index].0 == Role::Main && look.slots[index].2.current.is_some();
    // Once the application has started, its init containers have completed.
    let initialized = (0..statuses.len()).any(begun) || (0..statuses.len()).all(|index| look.is_initialized(index));
    let incomplete = names(&|index, _| !look.is_initialized(index));
    let unready = names(&|index, status| look.slots[index].0 != Role::Init && !status.ready);
    let ended = matches!(phase, "Succeeded" | "Failed");
    let containers = match (unready.is_empty(), phase) {
        (_, "Succeeded") => Verdict::no("PodCompleted", ""),
        (_, "Failed") => Verdict::no("PodFailed", ""),
        (true, _) => Verdict::Yes,
        _ => Verdict::no("ContainersNotReady", &format!("containers with unready status: [{unready}]")),
    };
    let ready = if containers == Verdict::Yes { gates(look) } else { containers.clone() };
    let verdicts = [
        if has_address { Verdict::Yes } else { Verdict::no("", "") },
        match initialized {
            true if ended && phase == "Succeeded" => Verdict::because("PodCompleted"),
            true => Verdict::Yes,
            false => {
                Verdict::no("ContainersNotInitialized", &format!("containers with incomplete status: [{incomplete}]"))
            }
        },
        ready,
        containers,
        Verdict::Yes,
    ];
    let own = OWN.iter().zip(verdicts).map(|(kind, verdict)| condition(look, kind, verdict));
    let others = look.pod.status.conditions.iter().filter(|condition| !OWN.contains(&condition.r#type.as_str()));
    own.chain(others.cloned()).collect()
}

/// Kubernetes: a pod is ready when its containers are ready and all its readiness gates are open.
fn gates(look: &Look<'_>) -> Verdict {
    let problems = look.pod.spec.readiness_gates.iter().filter_map(|gate| {
        let kind = &gate.condition_type;
        match pod_condition(look.pod, kind) {
            None => Some(format!("corresponding condition of pod readiness gate {kind:?} does not exist.")),
            Some(condition) if condition.status != "True" => {
                Some(format!("the status of pod readiness gate {kind:?} is not \"True\", but {}", condition.status))
            }
            Some(_) => None,
        }
    });
    let problems: Vec<String> = problems.collect();
    if problems.is_empty() { Verdict::Yes } else { Verdict::no("ReadinessGatesNotReady", &problems.join(", ")) }
}

/// Whether a condition holds, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    Yes,
    Because(&'static str),
    No(&'static str, String),
}

impl Verdict {
    fn no(reason: &'static str, message: &str) -> Self {
        Self::No(reason, message.to_owned())
    }

    const fn because(reason: &'static str) -> Self {
        Self::Because(reason)
    }
}

/// Builds a condition. The transition time changes only with the status.
fn condition(look: &Look<'_>, kind: &str, verdict: Verdict) -> PodCondition {
    let (status, reason, message) = match verdict {
        Verdict::Yes => ("True", "", String::new()),
        Verdict::Because(reason) => ("True", reason, String::new()),
        Verdict::No(reason, message) => ("False", reason, message),
    };
    let before = pod_condition(look.pod, kind).filter(|before| before.status == status);
    let now = || Time::from_timestamp(look.now);
    PodCondition {
        r#type: kind.to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message,
        observed_generation: look.pod.metadata.generation,
        last_transition_time: before.map_or_else(now, |before| before.last_transition_time),
        ..PodCondition::default()
    }
}
