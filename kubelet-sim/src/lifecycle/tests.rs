//! Tests the steps, the status and the events of pods at certain times.

use super::*;
use serde_json::{Value, json};
use squall_api::metav1::v1::Time;
use squall_api::{Kind, Object};
use squall_daemon::Timing;

const ADDRESSES: Addresses<'static> = Addresses { pod_ip: "127.64.64.2", host_ip: "127.64.64.1" };

fn pod_of(spec: Value) -> Pod {
    let json = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "kubia", "namespace": "default", "uid": "u"}, "spec": spec});
    Pod::try_from(Object::from_json(Kind::Pod, json).unwrap()).unwrap()
}

fn pod(restart_policy: &str) -> Pod {
    pod_of(json!({"restartPolicy": restart_policy, "containers": [{"name": "nodejs", "image": "x"}]}))
}

/// An init container, a sidecar and the application.
fn three(restart_policy: &str) -> Pod {
    pod_of(json!({"restartPolicy": restart_policy, "containers": [{"name": "main", "image": "x"}],
        "initContainers": [{"name": "init", "image": "x"}, {"name": "side", "image": "x", "restartPolicy": "Always"}]}))
}

fn deleted(mut pod: Pod, grace: i64) -> Pod {
    pod.metadata.deletion_timestamp = Some(Time { seconds: 130, nanos: 0 });
    pod.metadata.deletion_grace_period_seconds = Some(grace);
    pod
}

/// An attempt, which has exited with this code at this second if given. Each runs for one second.
fn attempt(number: i32, exit: Option<(i32, i64)>) -> cri::Container {
    let nanos = 1_000_000_000;
    let started_at = exit.map_or(0, |(_, second)| (second - 1) * nanos);
    let exit = exit.map(|(code, second)| cri::Exit { code, finished_at: second * nanos, reason: "Error".to_owned() });
    cri::Container {
        id: number.to_string(),
        name: "nodejs".to_owned(),
        image: "x".to_owned(),
        attempt: number,
        started_at,
        exit,
        ..cri::Container::default()
    }
}

fn present() -> ContainerView {
    ContainerView { image: Image::Present, ready: true, started: true, ..ContainerView::default() }
}

fn with(current: cri::Container) -> ContainerView {
    ContainerView { current: Some(current), ..present() }
}

fn at(pod: &Pod, views: &[ContainerView], second: i64) -> Decision {
    decide(pod, views, ADDRESSES, &Timing::KUBERNETES, Timestamp::from_second(second).unwrap())
}

fn decided(pod: &Pod, view: &ContainerView, second: i64) -> Decision {
    at(pod, std::slice::from_ref(view), second)
}

fn waits_for(decision: &Decision) -> String {
    decision.status.container_statuses[0]
        .state
        .waiting
        .as_ref()
        .map(|waiting| waiting.reason.clone())
        .unwrap_or_default()
}

fn condition<'a>(decision: &'a Decision, kind: &str) -> (&'a str, &'a str, &'a str) {
    let found = decision.status.conditions.iter().find(|condition| condition.r#type == kind).unwrap();
    (&found.status, &found.reason, &found.message)
}

#[test]
fn a_pod_is_pulled_started_and_then_runs() {
    let pod = pod("Always");
    let first = decided(&pod, &ContainerView::default(), 1);
    assert_eq!((first.steps.as_slice(), first.status.phase.as_str()), (&[Step::Pull(0)][..], "Pending"));
    assert_eq!(waits_for(&first), "ContainerCreating");
    assert_eq!(decided(&pod, &present(), 1).steps, [Step::Start(0, 0)]);
    assert!(decided(&pod, &ContainerView { busy: Busy::Starting, ..present() }, 1).steps.is_empty());
    let running = decided(&pod, &with(attempt(0, None)), 2);
    assert_eq!((running.steps.len(), running.status.phase.as_str()), (0, "Running"));
    assert_eq!(condition(&running, "Ready").0, "True");
    let unready = decided(&pod, &ContainerView { ready: false, ..with(attempt(0, None)) }, 2);
    assert_eq!(
        condition(&unready, "Ready"),
        ("False", "ContainersNotReady", "containers with unready status: [nodejs]")
    );
    let starting = decided(&pod, &ContainerView { started: false, ..with(attempt(0, None)) }, 2);
    assert_eq!(starting.status.container_statuses[0].started, Some(false));
    assert_eq!(condition(&starting, "Ready").0, "False", "it is not ready until its startup probe succeeds");
}

/// A container that crashed this many times in a row, each time after one second.
fn crashed(times: i32) -> ContainerView {
    let mut view = present();
    for number in 0..times {
        view.begin(attempt(number, Some((1, 100))));
        view.image = Image::Present;
    }
    view
}

#[test]
fn crashes_wait_longer_each_time() {
    let pod = pod("Always");
    assert_eq!(decided(&pod, &crashed(1), 100).steps, [Step::Start(0, 1)], "the first restart is immediate");
    for (times, wait) in [(2, 10), (3, 20), (4, 40), (7, 300), (40, 300)] {
        let early = decided(&pod, &crashed(times), 100 + wait - 1);
        assert_eq!((early.steps.len(), early.wake_at.unwrap().as_second()), (0, 100 + wait), "{times}");
        assert_eq!(waits_for(&early), "CrashLoopBackOff");
        assert_eq!(early.status.phase, "Running");
        assert_eq!(decided(&pod, &crashed(times), 100 + wait).steps, [Step::Start(0, times)]);
    }
}

#[test]
fn a_crash_loop_is_told_when_it_begins_and_once() {
    let mut pod = pod("Always");
    let first = decided(&pod, &crashed(6), 101);
    assert_eq!(first.told[0].message, "Back-off restarting failed container nodejs in pod kubia_default(u)");
    let waiting = first.status.container_statuses[0].state.waiting.clone().unwrap();
    assert_eq!(waiting.message, "back-off 2m40s restarting failed container=nodejs pod=kubia_default(u)");
    pod.status = first.status;
    assert!(decided(&pod, &crashed(6), 102).told.is_empty());
}

#[test]
fn a_long_run_begins_the_waits_anew() {
    let mut view = crashed(5);
    let mut long = attempt(5, Some((1, 1_000)));
    long.started_at = 0;
    view.begin(long);
    view.image = Image::Present;
    assert_eq!(decided(&pod("Always"), &view, 1_000).steps, [Step::Start(0, 6)], "it ran for more than ten minutes");
}

#[test]
fn the_restart_policy_decides_whether_an_end_is_final() {
    for (policy, code, phase) in
        [("Never", 0, "Succeeded"), ("Never", 1, "Failed"), ("OnFailure", 0, "Succeeded"), ("OnFailure", 1, "Running")]
    {
        let decision = decided(&pod(policy), &with(attempt(1, Some((code, 100)))), 100);
        assert_eq!(decision.status.phase, phase, "{policy} {code}");
        let reason = if phase == "Succeeded" { "PodCompleted" } else { condition(&decision, "Ready").1 };
        assert_eq!(condition(&decision, "ContainersReady").1, reason);
    }
}

#[test]
fn a_deleted_pod_is_stopped_and_then_forgotten() {
    let going = deleted(pod("Always"), 30);
    let running = with(attempt(0, None));
    let first = decided(&going, &running, 100);
    assert_eq!(first.steps, [Step::Stop(0, Duration::from_secs(30))]);
    assert_eq!(first.told[0].message, "Stopping container nodejs");
    let stopping = ContainerView { stopping: Some(Duration::from_secs(30)), ..running };
    assert!(decided(&going, &stopping, 100).steps.is_empty());
    let sooner = decided(&deleted(pod("Always"), 1), &stopping, 100);
    assert_eq!(sooner.steps, [Step::Stop(0, Duration::from_secs(1))], "it was deleted again, with less time");
    assert!(sooner.told.is_empty());
    let last = decided(&going, &with(attempt(0, Some((0, 101)))), 102);
    assert_eq!((last.steps, last.status.phase.as_str()), (vec![Step::Finish], "Succeeded"));
}

#[test]
fn a_pod_that_is_deleted_before_it_runs_is_forgotten_at_once() {
    let going = deleted(pod("Always"), 30);
    let pulling = ContainerView { busy: Busy::Pulling, ..ContainerView::default() };
    assert_eq!(decided(&going, &pulling, 100).steps, [Step::Finish]);
    let starting = ContainerView { busy: Busy::Starting, ..present() };
    assert!(decided(&going, &starting, 100).steps.is_empty(), "a container that is starting has to be stopped first");
}

#[test]
fn an_image_that_cannot_be_pulled_is_tried_again() {
    let mut pod = pod("Always");
    let second = |second| Timestamp::from_second(second).unwrap();
    let failure = |reason| Failure {
        reason,
        message: "not found".to_owned(),
        since: second(100),
        retry_at: second(110),
        failures: 1,
    };
    let failed = |reason| ContainerView { image: Image::Failed(failure(reason)), ..ContainerView::default() };
    let early = decided(&pod, &failed("ErrImagePull"), 100);
    assert_eq!((waits_for(&early).as_str(), early.wake_at), ("ErrImagePull", Some(second(102))));
    let late = decided(&pod, &failed("ErrImagePull"), 102);
    assert_eq!((waits_for(&late).as_str(), late.wake_at), ("ImagePullBackOff", Some(second(110))));
    let told: Vec<&str> = late.told.iter().map(|told| told.message.as_str()).collect();
    assert_eq!(told, ["Back-off pulling image \"x\"", "Error: ImagePullBackOff"]);
    pod.status = late.status;
    assert!(decided(&pod, &failed("ErrImagePull"), 103).told.is_empty());
    assert_eq!(decided(&pod, &failed("ErrImagePull"), 110).steps, [Step::Pull(0)]);
    let never = decided(&pod, &failed("ErrImageNeverPull"), 105);
    assert_eq!((waits_for(&never).as_str(), never.wake_at), ("ErrImageNeverPull", Some(second(110))));
}

#[test]
fn an_unhealthy_container_is_ended_with_the_time_of_its_probe() {
    let unhealthy = |probe, grace_seconds| ContainerView {
        unhealthy: Some(Unhealthy { probe, grace_seconds }),
        ..with(attempt(0, None))
    };
    let liveness = decided(&pod("Always"), &unhealthy(ProbeKind::Liveness, Some(5)), 100);
    assert_eq!(liveness.steps, [Step::Stop(0, Duration::from_secs(5))]);
    assert_eq!(liveness.told[0].message, "Container nodejs failed liveness probe, will be restarted");
    let startup = decided(&pod("Always"), &unhealthy(ProbeKind::Startup, None), 100);
    assert_eq!(startup.steps, [Step::Stop(0, Duration::from_secs(30))]);
    assert_eq!(startup.told[0].message, "Container nodejs failed startup probe, will be restarted");
}

#[test]
fn another_image_takes_the_place_of_the_old_one_at_once() {
    let mut view = crashed(5);
    view.begin(attempt(5, None));
    let mut pod = pod("Always");
    pod.spec.containers[0].image = "y".to_owned();
    let changed = decided(&pod, &view, 100);
    assert_eq!(changed.steps, [Step::Stop(0, Duration::from_secs(30))]);
    assert_eq!(changed.told[0].message, "Container nodejs definition changed, will be restarted");
}

#[test]
fn init_containers_go_one_after_the_other_and_sidecars_stay() {
    let pod = three("Always");
    let nothing = ContainerView::default;
    let first = at(&pod, &[nothing(), nothing(), nothing()], 1);
    assert_eq!(first.steps, [Step::Pull(0)]);
    assert_eq!(waits_for(&first), "PodInitializing");
    assert_eq!(
        condition(&first, "Initialized"),
        ("False", "ContainersNotInitialized", "containers with incomplete status: [init side]")
    );
    let done = with(attempt(0, Some((0, 2))));
    assert_eq!(at(&pod, &[done.clone(), nothing(), nothing()], 3).steps, [Step::Pull(1)]);
    let side = ContainerView { started: false, ..with(attempt(0, None)) };
    assert!(at(&pod, &[done.clone(), side.clone(), nothing()], 3).steps.is_empty(), "the sidecar has not started yet");
    let side = ContainerView { started: true, ..side };
    let begun = at(&pod, &[done.clone(), side.clone(), nothing()], 3);
    assert_eq!((begun.steps.as_slice(), condition(&begun, "Initialized").0), (&[Step::Pull(2)][..], "True"));
    let running = at(&pod, &[done.clone(), side.clone(), with(attempt(0, None))], 4);
    assert_eq!((running.steps.len(), running.status.phase.as_str()), (0, "Running"));
    assert_eq!(condition(&running, "Ready").0, "True");
    let unready = ContainerView { ready: false, ..side };
    let not_ready = at(&pod, &[done, unready, with(attempt(0, None))], 4);
    assert_eq!(condition(&not_ready, "ContainersReady").2, "containers with unready status: [side]");
}

#[test]
fn an_init_container_that_fails_is_repeated_or_ends_the_pod() {
    let failed = with(attempt(0, Some((1, 2))));
    let nothing = ContainerView::default;
    assert_eq!(at(&three("Always"), &[failed.clone(), nothing(), nothing()], 3).steps, [Step::Start(0, 1)]);
    let never = at(&three("Never"), &[failed, nothing(), nothing()], 3);
    assert_eq!((never.steps.len(), never.status.phase.as_str()), (0, "Failed"));
}

#[test]
fn sidecars_end_after_the_application() {
    let done = with(attempt(0, Some((0, 2))));
    let (main, side) = (with(attempt(0, None)), with(attempt(0, None)));
    let going = deleted(three("Always"), 30);
    assert_eq!(at(&going, &[done.clone(), side.clone(), main], 5).steps, [Step::Stop(2, Duration::from_secs(30))]);
    let ended = with(attempt(0, Some((0, 6))));
    assert_eq!(
        at(&going, &[done.clone(), side.clone(), ended.clone()], 7).steps,
        [Step::Stop(1, Duration::from_secs(30))]
    );
    let completed = at(&three("Never"), &[done.clone(), side, ended.clone()], 7);
    assert_eq!(completed.steps, [Step::Stop(1, Duration::from_secs(30))], "the application has completed on its own");
    let all = at(&going, &[done, ended.clone(), ended], 8);
    assert_eq!((all.steps, all.status.phase.as_str()), (vec![Step::Finish], "Succeeded"));
}

#[test]
fn a_readiness_gate_is_waited_for_and_kept() {
    let mut pod = pod_of(json!({"restartPolicy": "Always", "containers": [{"name": "nodejs", "image": "x"}],
        "readinessGates": [{"conditionType": "example.com/lb"}]}));
    let view = with(attempt(0, None));
    let closed = decided(&pod, &view, 1);
    let message = "corresponding condition of pod readiness gate \"example.com/lb\" does not exist.";
    assert_eq!(condition(&closed, "Ready"), ("False", "ReadinessGatesNotReady", message));
    assert_eq!(condition(&closed, "ContainersReady").0, "True");
    pod.status.conditions.push(squall_api::core::v1::PodCondition {
        r#type: "example.com/lb".to_owned(),
        status: "True".to_owned(),
        ..Default::default()
    });
    let open = decided(&pod, &view, 2);
    assert_eq!(condition(&open, "Ready").0, "True");
    assert_eq!(condition(&open, "example.com/lb").0, "True", "conditions of other writers stay as they are");
}

#[test]
fn a_container_that_cannot_be_started_says_why() {
    let failure = Failure {
        reason: "RunContainerError",
        message: "address in use".to_owned(),
        since: Timestamp::from_second(100).unwrap(),
        retry_at: Timestamp::from_second(110).unwrap(),
        failures: 1,
    };
    let view = ContainerView { start_failure: Some(failure), ..present() };
    let decision = decided(&pod("Always"), &view, 105);
    assert_eq!((waits_for(&decision).as_str(), decision.steps.len()), ("RunContainerError", 0));
    assert_eq!(decided(&pod("Always"), &view, 110).steps, [Step::Start(0, 0)]);
}

#[test]
fn a_pod_that_was_active_for_too_long_has_failed_and_its_containers_end() {
    let mut pod = pod("Always");
    pod.spec.active_deadline_seconds = Some(60);
    pod.status.start_time = Some(Time { seconds: 100, nanos: 0 });
    let runs = with(attempt(0, None));
    let before = decided(&pod, &runs, 159);
    assert_eq!((before.status.phase.as_str(), before.steps.len()), ("Running", 0));
    assert_eq!(before.wake_at, Some(Timestamp::from_second(160).unwrap()));
    let after = decided(&pod, &runs, 160);
    assert_eq!((after.status.phase.as_str(), after.status.reason.as_str()), ("Failed", "DeadlineExceeded"));
    assert_eq!(after.steps, [Step::Stop(0, Duration::from_secs(30))]);
    let told: Vec<_> = after.told.iter().map(|told| (told.container, told.reason)).collect();
    assert_eq!(told, [(None, "DeadlineExceeded"), (Some(0), "Killing")]);
    pod.status = after.status;
    let ended = decided(&pod, &with(attempt(0, Some((137, 161)))), 999);
    assert_eq!((ended.status.phase.as_str(), ended.steps.len(), ended.told.len()), ("Failed", 0, 0));
    // A pod that completed before the deadline keeps its phase.
    let mut done = pod_of(
        json!({"restartPolicy": "Never", "activeDeadlineSeconds": 60, "containers": [{"name": "c", "image": "x"}]}),
    );
    done.status.start_time = Some(Time { seconds: 100, nanos: 0 });
    done.status.phase = "Succeeded".to_owned();
    assert_eq!(decided(&done, &with(attempt(0, Some((0, 110)))), 999).status.phase, "Succeeded");
}

/// Kubernetes: a pod that has run stays Running, and its restarts count.
#[test]
fn a_pod_whose_node_was_lost_stays_running_and_its_init_containers_run_again_first() {
    let lost = with(attempt(0, Some((137, 9))));
    let decision = at(&pod("Always"), std::slice::from_ref(&lost), 10);
    assert_eq!((decision.steps, decision.status.phase.as_str()), (vec![Step::Start(0, 1)], "Running"));
    let pod = pod_of(json!({"restartPolicy": "Always", "containers": [{"name": "nodejs", "image": "x"}],
        "initContainers": [{"name": "init", "image": "x"}]}));
    let before = at(&pod, &[present(), lost.clone()], 10);
    assert_eq!((before.steps, before.status.phase.as_str()), (vec![Step::Start(0, 0)], "Running"));
    let after = at(&pod, &[with(attempt(0, Some((0, 11)))), lost], 12);
    assert_eq!(after.steps, [Step::Start(1, 1)]);
}
