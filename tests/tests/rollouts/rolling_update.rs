//! Tests the client-side update, killed after every step: the state that it leaves, and the result of resuming or
//! rolling it back. Each case has its own namespace in one cluster.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends where it fails")]

use std::collections::BTreeMap;

use futures_util::StreamExt;
use squall_api::Kind;
use squall_api::core::v1::{Namespace, Pod, ReplicationController};
use squall_api::kinds::{is_pod_active, is_pod_ready};
use squall_client::{Api, DeleteParams};
use squall_tests::{Ctl, Lab, Output, holds, wait_for};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

const RC: &str = include_str!("../../../examples/chapter/kubia-rc-and-service-v1.yaml");
const QUICK: &str = "--update-period=50ms --poll-interval=50ms";
/// The number of cases that run concurrently.
const AT_ONCE: usize = 4;

/// Every step of an update of three pods, in order, with the state that remains if the client dies after it: the size
/// of the old controller and of the new one (`None`: it does not exist), and the number of labelled old pods.
const STEPS: [(&str, Option<i32>, Option<i32>, usize); 15] = [
    ("template:1", Some(3), None, 0),
    ("pod:1", Some(3), None, 1),
    ("pod:2", Some(3), None, 2),
    ("pod:3", Some(3), None, 3),
    ("selector:1", Some(3), None, 3),
    ("created:1", Some(3), Some(0), 3),
    ("original:1", Some(3), Some(0), 3),
    ("scale-up:1", Some(3), Some(1), 3),
    ("scale-down:1", Some(2), Some(1), 2),
    ("scale-up:2", Some(2), Some(2), 2),
    ("scale-down:2", Some(1), Some(2), 1),
    ("scale-up:3", Some(1), Some(3), 1),
    ("scale-down:3", Some(0), Some(3), 0),
    ("unmarked:1", Some(0), Some(3), 0),
    ("deleted:1", None, Some(3), 0),
];

struct Case<'a> {
    lab: &'a Lab,
    ctl: Ctl,
    namespace: String,
}

impl<'a> Case<'a> {
    /// Creates a namespace with three ready pods of version 1.
    async fn start(lab: &'a Lab, name: &str) -> Self {
        let namespace = name.replace(':', "-").to_lowercase();
        let mut object = Namespace::default();
        object.metadata.name.clone_from(&namespace);
        Api::new(lab.client.clone(), "").create(object).await.unwrap();
        let case = Self { lab, ctl: lab.ctl().unwrap(), namespace };
        let rc = RC.split("---").next().unwrap();
        let created = case.ctl.run_with(&format!("create -n {} -f -", case.namespace), rc).await.unwrap();
        assert_eq!(created.code, 0, "{created:?}");
        case.has("three pods of v1", &[("kubia-v1", 3)]).await;
        case
    }

    fn controllers(&self) -> Api<ReplicationController> {
        Api::new(self.lab.client.clone(), &self.namespace)
    }

    async fn pods(&self) -> Vec<Pod> {
        let pods: Vec<Pod> = Api::new(self.lab.client.clone(), &self.namespace).list("", "").await.unwrap();
        pods.into_iter().filter(is_pod_active).collect()
    }

    /// Waits until exactly these controllers exist, each with this many pods, all ready.
    async fn has(&self, what: &str, expected: &[(&str, i32)]) {
        wait_for(what, || async {
            let found = self.controllers().list("", "").await.map_err(|error| error.to_string())?;
            let sizes: BTreeMap<String, i32> =
                found.iter().map(|rc| (rc.metadata.name.clone(), rc.status.replicas)).collect();
            let ready: i32 = found.iter().map(|rc| rc.status.ready_replicas).sum();
            let asked: i32 = found.iter().filter_map(|rc| rc.spec.replicas).sum();
            let wanted: BTreeMap<String, i32> =
                expected.iter().map(|(name, size)| ((*name).to_owned(), *size)).collect();
            let total: i32 = wanted.values().sum();
            if sizes == wanted && ready == total && asked == total {
                Ok(())
            } else {
                Err(format!("{sizes:?}, {ready} ready, {asked} asked for"))
            }
        })
        .await
        .unwrap();
    }

    /// Waits until the old controller is gone: once it has no pods, it goes a moment after its deletion.
    async fn old_is_gone(&self) {
        wait_for("the old controller to be gone", || async {
            match self.controllers().get("kubia-v1").await {
                Err(error) if error.is_not_found() => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await
        .unwrap();
    }

    async fn update(&self, flags: &str) -> Output {
        self.ctl.run(&format!("rolling-update -n {} {flags} {QUICK}", self.namespace)).await.unwrap()
    }

    /// Starts the update and kills it after a step.
    async fn killed_after(&self, names: &str, step: &str) {
        let words =
            format!("rolling-update -n {} {names} --image=luksa/kubia:v2 {QUICK} --stop-after={step}", self.namespace);
        let mut child = self.ctl.start(&words).unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        loop {
            match lines.next_line().await.unwrap() {
                Some(line) if line.starts_with("stopped after") => break,
                Some(_) => {}
                None => {
                    let mut told = String::new();
                    child.stdout.take().unwrap().read_to_string(&mut told).await.unwrap();
                    panic!("{step} was never taken: {told}");
                }
            }
        }
        child.kill().await.unwrap();
    }
}

#[tokio::test]
async fn killed_after_any_step_it_stays_half_done_until_it_is_run_again() {
    let lab = Lab::start().await.unwrap();
    let cases = futures_util::stream::iter(STEPS).map(|(step, old, new, labelled)| {
        let lab = &lab;
        async move {
            let case = Case::start(lab, step).await;
            case.killed_after("kubia-v1 kubia-v2", step).await;
            check_left(&case, step, old, new, labelled).await;
            let again = case.update("kubia-v1 kubia-v2 --image=luksa/kubia:v2").await;
            let text = format!("{}{}", again.stdout, again.stderr);
            match step {
                // The new controller has lost the annotations of the update, and the old controller remains forever.
                "unmarked:1" => {
                    assert!(text.contains("Missing/unexpected annotations for controller kubia-v2"), "{step}: {text}");
                    case.has("the old one, empty", &[("kubia-v1", 0), ("kubia-v2", 3)]).await;
                }
                "deleted:1" => {
                    assert!(text.contains("replicationcontrollers \"kubia-v1\" not found"), "{step}: {text}");
                }
                _ => {
                    assert_eq!(again.code, 0, "{step}: {text}");
                    assert_eq!(text.contains("resuming."), new.is_some(), "{step}: {text}");
                    case.has("the new one alone", &[("kubia-v2", 3)]).await;
                }
            }
        }
    });
    cases.buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
}

/// Checks the state after the client's death, which stays because nothing continues the update.
async fn check_left(case: &Case<'_>, step: &str, old: Option<i32>, new: Option<i32>, labelled: usize) {
    let sizes: Vec<(&str, i32)> =
        [("kubia-v1", old), ("kubia-v2", new)].into_iter().filter_map(|(name, size)| Some((name, size?))).collect();
    case.has(&format!("what is left after {step}"), &sizes).await;
    let pods = case.pods().await;
    let marked = |pod: &&Pod| pod.metadata.labels.get("deployment").is_some_and(|value| value.ends_with("-orig"));
    assert_eq!(pods.iter().filter(marked).count(), labelled, "{step}: pods with the label of the old side");
    if let Ok(old) = case.controllers().get("kubia-v1").await {
        let label =
            |map: &BTreeMap<String, String>| map.get("deployment").is_some_and(|value| value.ends_with("-orig"));
        let selects = !matches!(step, "template:1" | "pod:1" | "pod:2" | "pod:3");
        assert!(label(&old.spec.template.unwrap().metadata.labels), "{step}");
        assert_eq!(label(&old.spec.selector), selects, "{step}");
        let annotations = &old.metadata.annotations;
        assert_eq!(
            annotations.contains_key("kubectl.kubernetes.io/original-replicas"),
            is_after(step, "created:1"),
            "{step}"
        );
    }
    if let Ok(new) = case.controllers().get("kubia-v2").await {
        let marks = ["desired-replicas", "update-source-id"].map(|key| format!("kubectl.kubernetes.io/{key}"));
        let has = marks.iter().all(|key| new.metadata.annotations.contains_key(key));
        assert_eq!(has, !matches!(step, "unmarked:1" | "deleted:1"), "{step}");
    }
}

fn is_after(step: &str, other: &str) -> bool {
    let place = |name: &str| STEPS.iter().position(|(step, ..)| *step == name);
    place(step) > place(other)
}

#[tokio::test]
async fn killed_after_any_step_it_can_be_taken_back_as_far_as_the_marks_go() {
    let lab = Lab::start().await.unwrap();
    let cases = futures_util::stream::iter(STEPS).map(|(step, old, new, _)| {
        let lab = &lab;
        async move {
            let case = Case::start(lab, step).await;
            case.killed_after("kubia-v1 kubia-v2", step).await;
            if old.is_none() {
                case.old_is_gone().await;
            }
            let back = case.update("kubia-v1 kubia-v2 --rollback").await;
            let text = format!("{}{}", back.stdout, back.stderr);
            match (old, new) {
                (Some(_), None) => assert!(text.contains("Could not find kubia-v2 to rollback."), "{step}: {text}"),
                (None, _) => assert!(text.contains("replicationcontrollers \"kubia-v1\" not found"), "{step}: {text}"),
                _ if step == "created:1" => {
                    let lost = "couldn't find original replica count of \"kubia-v1\"";
                    assert!(text.contains(lost), "{step}: {text}");
                }
                _ => {
                    assert!(text.contains("Setting \"kubia-v1\" replicas to 3\n"), "{step}: {text}");
                    assert_eq!(back.code, 0, "{step}: {text}");
                    case.has("the old one alone", &[("kubia-v1", 3)]).await;
                    let images: Vec<String> =
                        case.pods().await.iter().map(|pod| pod.spec.containers[0].image.clone()).collect();
                    assert_eq!(images, ["luksa/kubia:v1"; 3], "{step}");
                    let survivor = case.controllers().get("kubia-v1").await.unwrap();
                    assert!(survivor.spec.selector["deployment"].ends_with("-orig"), "{step}: the label stays");
                }
            }
        }
    });
    cases.buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
}

/// With one name, the new controller is finally deleted and created again under the old one's name.
#[tokio::test]
async fn killed_while_it_renames_it_leaves_pods_without_a_controller() {
    let lab = Lab::start().await.unwrap();
    let case = Case::start(&lab, "deleted").await;
    case.killed_after("kubia-v1", "deleted").await;
    case.old_is_gone().await;
    let again = case.update("kubia-v1 --image=luksa/kubia:v2").await;
    let lost = "error: couldn't find a replication controller with source id == deleted/kubia-v1";
    assert!(again.stderr.contains(lost), "{again:?}");

    let case = Case::start(&lab, "unnamed").await;
    case.killed_after("kubia-v1", "unnamed").await;
    wait_for("no controller", || async {
        let left = case.controllers().list("", "").await.unwrap();
        holds(left.is_empty(), left.len())
    })
    .await
    .unwrap();
    let orphans = case.pods().await;
    assert!(orphans.len() == 3 && orphans.iter().all(is_pod_ready), "its pods go on");
    // A controller that is created again by hand adopts them.
    let mut controller = ReplicationController::default();
    controller.metadata.name = "kubia-v1".to_owned();
    controller.spec.replicas = Some(3);
    controller.spec.selector.clone_from(&orphans[0].metadata.labels);
    let mut template = squall_api::core::v1::PodTemplateSpec::default();
    template.metadata.labels.clone_from(&orphans[0].metadata.labels);
    let mut container = squall_api::core::v1::Container::default();
    (container.name, container.image) = ("nodejs".to_owned(), "luksa/kubia:v2".to_owned());
    template.spec.containers.push(container);
    controller.spec.template = Some(template);
    case.controllers().create(controller).await.unwrap();
    case.has("the pods adopted", &[("kubia-v1", 3)]).await;
    let names = |pods: &[Pod]| pods.iter().map(|pod| pod.metadata.name.clone()).collect::<Vec<String>>();
    assert_eq!(names(&case.pods().await), names(&orphans));
}

#[tokio::test]
async fn a_file_names_the_new_controller_and_its_labels() {
    let lab = Lab::of(1, 1, 2).await.unwrap();
    let case = Case::start(&lab, "file").await;
    let same = case.ctl.run_with("rolling-update -n file kubia-v1 -f -", &rc_of("kubia-v1", "app: x")).await.unwrap();
    assert!(
        same.stderr.contains("cannot have the same name as the existing ReplicationController kubia-v1"),
        "{same:?}"
    );
    let apart =
        case.ctl.run_with("rolling-update -n file kubia-v1 -f -", &rc_of("kubia-v2", "app: kubia, ver: two")).await;
    let apart = apart.unwrap();
    assert!(
        apart.stderr.contains("must specify a matching key with non-equal value in Selector for kubia-v1"),
        "{apart:?}"
    );
    let words = format!("rolling-update -n file kubia-v1 -f - {QUICK}");
    let done = case.ctl.run_with(&words, &rc_of("kubia-v2", "app: kubia-v2")).await.unwrap();
    assert_eq!(done.code, 0, "{done:?}");
    // It has the size in its file, or else the old one's size.
    case.has("the new one alone", &[("kubia-v2", 3)]).await;
    let left = lab.client.list(&squall_client::ResourceRef::collection(Kind::Pod, "file"), "app=kubia", "", "").await;
    assert!(left.unwrap().1.is_empty());
    case.controllers().delete("kubia-v2", DeleteParams::default()).await.unwrap();
}

fn rc_of(name: &str, labels: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ReplicationController\nmetadata: {{name: {name}}}\nspec:\n  selector: {{{labels}}}\n  template:\n    \
         metadata: {{labels: {{{labels}}}}}\n    spec: {{containers: [{{name: nodejs, image: 'luksa/kubia:v2'}}]}}\n"
    )
}
