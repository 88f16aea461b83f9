//! Conditions that a scenario can wait for: on the store, on commands, on answers to clients.

use std::collections::BTreeMap;
use std::fmt::{self, Display};

use serde::{Deserialize, Serialize};
use squall_api::Kind;
use squall_api::apps::v1::{Deployment, ReplicaSet};
use squall_api::core::v1::Pod;
use squall_api::kinds::{is_pod_active, is_pod_ready};
use squall_referee::history::World;

use super::count::Count;
use crate::faults::CommandState;

/// A condition that holds or does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Condition {
    /// All pods of a Deployment have the newest version and are available.
    RolledOut {
        /// The Deployment's name.
        deployment: String,
        /// The expected image of its pods; `None` accepts any.
        image: Option<String>,
    },
    /// The newest ReplicaSet of a Deployment exists.
    NewReplicaSet {
        /// The Deployment's name.
        deployment: String,
        /// The expected image of its pods; `None` accepts any.
        image: Option<String>,
        /// The desired number of pods.
        replicas: Option<Count>,
        /// The number of available pods in its status.
        available: Option<Count>,
    },
    /// The other ReplicaSets of a Deployment.
    OldReplicaSets {
        /// The Deployment's name.
        deployment: String,
        /// The desired number of pods of all of them together.
        replicas: Count,
    },
    /// A ReplicationController exists.
    Controller {
        /// The ReplicationController's name.
        name: String,
        /// The desired number of pods.
        replicas: Option<Count>,
        /// The number of available pods in its status.
        available: Option<Count>,
    },
    /// A ReplicationController does not exist.
    NoController(String),
    /// Pods that are not terminating.
    Pods {
        /// The image of the counted pods; `None` counts all.
        image: Option<String>,
        /// The labels of the counted pods; without any, it counts all.
        #[serde(default)]
        labels: BTreeMap<String, String>,
        /// The number of ready pods.
        ready: Option<Count>,
        /// The number of pods, ready or not.
        active: Option<Count>,
    },
    /// The endpoints of a service.
    Endpoints {
        /// The service's name.
        service: String,
        /// The number of ready endpoints.
        ready: Option<Count>,
        /// The number of terminating endpoints.
        terminating: Option<Count>,
    },
    /// The restarts of the containers of pods, all together.
    Restarts {
        /// The labels of the counted pods; without any, it counts all.
        #[serde(default)]
        labels: BTreeMap<String, String>,
        /// The number of restarts.
        count: Count,
    },
    /// Events of a reason, each as often as it came.
    Events {
        /// The reason, such as `BackOff`.
        reason: String,
        /// The name of the object that they are about; `None` counts all.
        object: Option<String>,
        /// The number of events.
        #[serde(default = "once")]
        count: Count,
    },
    /// A background command is in this state.
    Command {
        /// The name from the step's `as`.
        name: String,
        /// The expected state.
        is: CommandState,
    },
    /// A version has answered this many requests.
    Served {
        /// The version in the answer, such as `v1`.
        version: String,
        /// The number of answers.
        requests: Count,
    },
    /// This many requests have failed.
    FailedRequests(Count),
    /// This many writes of the checkers were acknowledged.
    Acknowledged(Count),
    /// All of these conditions hold at once.
    All(Vec<Condition>),
}

const fn once() -> Count {
    Count::AtLeast(1)
}

/// Everything that conditions of one arm can observe.
pub struct Seen<'a> {
    /// The latest recorded state of the store.
    pub world: &'a World,
    /// The arm's namespace.
    pub namespace: &'a str,
    /// The arm's background commands by name.
    pub commands: BTreeMap<String, CommandState>,
    /// The number of answered requests by version.
    pub answers: BTreeMap<String, usize>,
    /// The number of failed requests.
    pub failed: usize,
    /// The number of writes of the checkers that were acknowledged.
    pub acknowledged: u64,
}

impl Condition {
    /// Checks the condition; the error describes the actual state.
    pub fn holds(&self, seen: &Seen<'_>) -> Result<(), String> {
        match self {
            Self::RolledOut { deployment, image } => rolled_out(seen.deployment(deployment)?, image.as_deref()),
            Self::NewReplicaSet { deployment, image, replicas, available } => {
                let (new, _) = seen.sets(deployment)?;
                let new = new.ok_or_else(|| format!("deployment {deployment} has no new ReplicaSet"))?;
                let has = first_image(&new.spec.template.spec.containers);
                if let Some(wanted) = image.as_ref().filter(|wanted| *wanted != has) {
                    return Err(format!("the newest ReplicaSet of {deployment} has the image {has}, not {wanted}"));
                }
                let (size, there) = (i64::from(new.spec.replicas.unwrap_or(1)), new.status.available_replicas.into());
                sized(&new.metadata.name, (*replicas, size), (*available, there))
            }
            Self::OldReplicaSets { deployment, replicas } => {
                let (_, old) = seen.sets(deployment)?;
                let total = old.iter().map(|set| i64::from(set.spec.replicas.unwrap_or(1))).sum();
                said(replicas.holds(total), || format!("the old ReplicaSets of {deployment} want {total} pods"))
            }
            Self::Controller { name, replicas, available } => {
                let controller = seen.world.controllers().find(|rc| is_in(&rc.metadata, seen.namespace, name));
                let rc = controller.ok_or_else(|| format!("there is no ReplicationController {name}"))?;
                let (size, there) = (i64::from(rc.spec.replicas.unwrap_or(1)), rc.status.available_replicas.into());
                sized(name, (*replicas, size), (*available, there))
            }
            Self::NoController(name) => {
                let found = seen.world.controllers().any(|rc| is_in(&rc.metadata, seen.namespace, name));
                said(!found, || format!("the ReplicationController {name} exists"))
            }
            Self::Pods { image, labels, ready, active } => seen.pods_hold(image.as_deref(), labels, (*ready, *active)),
            Self::Endpoints { service, ready, terminating } => seen.endpoints_hold(service, *ready, *terminating),
            Self::Restarts { labels, count } => {
                let statuses = seen.pods(labels).flat_map(|pod| &pod.status.container_statuses);
                let number = statuses.map(|status| i64::from(status.restart_count)).sum();
                said(count.holds(number), || format!("found {number} restarts"))
            }
            Self::Events { reason, object, count } => {
                let number = seen.events(reason, object.as_deref());
                said(count.holds(number), || format!("found {number} events {reason}"))
            }
            Self::FailedRequests(count) => {
                let number = i64::try_from(seen.failed).unwrap_or(i64::MAX);
                said(count.holds(number), || format!("{number} requests failed"))
            }
            Self::Acknowledged(count) => {
                let number = i64::try_from(seen.acknowledged).unwrap_or(i64::MAX);
                said(count.holds(number), || format!("{number} writes were acknowledged"))
            }
            Self::Command { name, is } => match seen.commands.get(name) {
                Some(state) => said(state == is, || format!("{name} is {state:?}").to_lowercase()),
                None => Err(format!("no command was started as {name}")),
            },
            Self::Served { version, requests } => {
                let number = i64::try_from(seen.answers.get(version).copied().unwrap_or(0)).unwrap_or(i64::MAX);
                said(requests.holds(number), || format!("{number} requests were answered by {version}"))
            }
            Self::All(conditions) => conditions.iter().try_for_each(|condition| condition.holds(seen)),
        }
    }
}

/// Whether a number is as wanted, if any is.
fn fits(wanted: Option<Count>, number: i64) -> bool {
    wanted.is_none_or(|wanted| wanted.holds(number))
}

fn counted(items: impl Iterator) -> i64 {
    i64::try_from(items.count()).unwrap_or(i64::MAX)
}

fn said(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

fn sized(name: &str, replicas: (Option<Count>, i64), available: (Option<Count>, i64)) -> Result<(), String> {
    said(fits(replicas.0, replicas.1) && fits(available.0, available.1), || {
        format!("{name} wants {} pods, {} are available", replicas.1, available.1)
    })
}

fn is_in(meta: &squall_api::metav1::v1::ObjectMeta, namespace: &str, name: &str) -> bool {
    meta.namespace == namespace && meta.name == name
}

fn first_image(containers: &[squall_api::core::v1::Container]) -> &str {
    containers.first().map_or("", |container| container.image.as_str())
}

fn has_image(pod: &Pod, image: Option<&str>) -> bool {
    image.is_none_or(|image| image == first_image(&pod.spec.containers))
}

fn rolled_out(deployment: &Deployment, image: Option<&str>) -> Result<(), String> {
    let (status, all) = (&deployment.status, deployment.spec.replicas.unwrap_or(1));
    let counts = [status.replicas, status.updated_replicas, status.available_replicas];
    let name = &deployment.metadata.name;
    let has = first_image(&deployment.spec.template.spec.containers);
    if let Some(wanted) = image.filter(|wanted| *wanted != has) {
        return Err(format!("{name} has the image {has}, not {wanted}"));
    }
    said(status.observed_generation >= deployment.metadata.generation && counts == [all; 3], || {
        let [there, updated, available] = counts;
        format!("{name} has {there} of {all} pods, {updated} of the newest version, {available} available")
    })
}

impl Condition {
    /// Returns the objects that it is about, other than pods.
    pub fn subjects(&self) -> Vec<(Kind, String)> {
        match self {
            Self::RolledOut { deployment, .. }
            | Self::NewReplicaSet { deployment, .. }
            | Self::OldReplicaSets { deployment, .. } => vec![(Kind::Deployment, deployment.clone())],
            Self::Controller { name, .. } => vec![(Kind::ReplicationController, name.clone())],
            Self::All(conditions) => conditions.iter().flat_map(Self::subjects).collect(),
            Self::NoController(_)
            | Self::Pods { .. }
            | Self::Endpoints { .. }
            | Self::Restarts { .. }
            | Self::Events { .. }
            | Self::Command { .. }
            | Self::Served { .. }
            | Self::FailedRequests(_)
            | Self::Acknowledged(_) => Vec::new(),
        }
    }

    /// Whether pods that are not ready may be why it does not hold.
    pub fn is_about_pods(&self) -> bool {
        match self {
            Self::RolledOut { .. }
            | Self::NewReplicaSet { .. }
            | Self::Controller { .. }
            | Self::Pods { .. }
            | Self::Endpoints { .. }
            | Self::Restarts { .. }
            | Self::Served { .. } => true,
            Self::All(conditions) => conditions.iter().any(Self::is_about_pods),
            Self::OldReplicaSets { .. }
            | Self::NoController(_)
            | Self::Events { .. }
            | Self::Command { .. }
            | Self::FailedRequests(_)
            | Self::Acknowledged(_) => false,
        }
    }
}

/// Writes labels as a selector: `app=kubia,tier=web`.
fn selector(labels: &BTreeMap<String, String>) -> String {
    labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
}

impl<'a> Seen<'a> {
    fn pods(&self, labels: &'a BTreeMap<String, String>) -> impl Iterator<Item = &'a Pod> + use<'a> {
        let (world, namespace) = (self.world, self.namespace);
        let has_all = move |pod: &&Pod| labels.iter().all(|(key, value)| pod.metadata.labels.get(key) == Some(value));
        world.pods().filter(move |pod| pod.metadata.namespace == namespace).filter(has_all)
    }

    fn pods_hold(
        &self,
        image: Option<&str>,
        labels: &'a BTreeMap<String, String>,
        (ready, active): (Option<Count>, Option<Count>),
    ) -> Result<(), String> {
        let pods: Vec<_> = self.pods(labels).filter(|pod| is_pod_active(pod) && has_image(pod, image)).collect();
        let (are_ready, are_there) = (counted(pods.iter().filter(|pod| is_pod_ready(pod))), counted(pods.iter()));
        said(fits(ready, are_ready) && fits(active, are_there), || {
            format!("found {are_there} such pods, {are_ready} of them ready")
        })
    }

    fn endpoints_hold(&self, service: &str, ready: Option<Count>, terminating: Option<Count>) -> Result<(), String> {
        let all: Vec<_> = self.world.endpoints_of(self.namespace, service).map(|one| &one.conditions).collect();
        let are_ready = counted(all.iter().filter(|conditions| conditions.ready.unwrap_or(true)));
        let are_terminating = counted(all.iter().filter(|conditions| conditions.terminating.unwrap_or(false)));
        said(fits(ready, are_ready) && fits(terminating, are_terminating), || {
            format!("{service} has {are_ready} ready and {are_terminating} terminating endpoints")
        })
    }

    /// Returns how often events of a reason came. Kubernetes: an event that came once has no count.
    fn events(&self, reason: &str, object: Option<&str>) -> i64 {
        let events = self.world.events().filter(|event| {
            event.metadata.namespace == self.namespace
                && event.reason == reason
                && object.is_none_or(|object| event.involved_object.name == object)
        });
        events.map(|event| i64::from(event.count.max(1))).sum()
    }
}

impl Seen<'_> {
    fn deployment(&self, name: &str) -> Result<&Deployment, String> {
        let found = self.world.deployments().find(|deployment| is_in(&deployment.metadata, self.namespace, name));
        found.ok_or_else(|| format!("there is no Deployment {name}"))
    }

    fn sets(&self, deployment: &str) -> Result<(Option<&ReplicaSet>, Vec<&ReplicaSet>), String> {
        let deployment = self.deployment(deployment)?;
        let mut sets: Vec<&ReplicaSet> = self.world.sets_of(&deployment.metadata.uid).collect();
        let new = squall_api::revision::find_new(deployment, &mut sets).map(|place| sets.remove(place));
        Ok((new, sets))
    }
}

impl Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let and = |f: &mut fmt::Formatter<'_>, replicas: &Option<Count>, available: &Option<Count>| {
            if let Some(count) = replicas {
                write!(f, ", {count} wanted")?;
            }
            available.map_or(Ok(()), |count| write!(f, ", {count} available"))
        };
        match self {
            Self::RolledOut { deployment, image: None } => write!(f, "deployment {deployment} is rolled out"),
            Self::RolledOut { deployment, image: Some(image) } => {
                write!(f, "deployment {deployment} is rolled out with {image}")
            }
            Self::NewReplicaSet { deployment, image, replicas, available } => {
                write!(f, "the new ReplicaSet of {deployment} exists")?;
                image.as_ref().map_or(Ok(()), |image| write!(f, ", with {image}"))?;
                and(f, replicas, available)
            }
            Self::OldReplicaSets { deployment, replicas } => {
                write!(f, "the old ReplicaSets of {deployment} want {replicas} pods")
            }
            Self::Controller { name, replicas, available } => {
                write!(f, "the ReplicationController {name} exists")?;
                and(f, replicas, available)
            }
            Self::NoController(name) => write!(f, "there is no ReplicationController {name}"),
            Self::Endpoints { service, ready, terminating } => {
                write!(f, "endpoints of {service}")?;
                ready.map_or(Ok(()), |count| write!(f, ", {count} ready"))?;
                terminating.map_or(Ok(()), |count| write!(f, ", {count} terminating"))
            }
            Self::Restarts { labels, count } if labels.is_empty() => write!(f, "containers restarted {count} times"),
            Self::Restarts { labels, count } => write!(f, "containers of {} restarted {count} times", selector(labels)),
            Self::Events { reason, object: None, count } => write!(f, "{count} events {reason}"),
            Self::Events { reason, object: Some(object), count } => write!(f, "{count} events {reason} of {object}"),
            Self::Pods { image, labels, ready, active } => {
                write!(f, "pods of {}", image.as_deref().unwrap_or("any image"))?;
                if !labels.is_empty() {
                    write!(f, " with {}", selector(labels))?;
                }
                active.map_or(Ok(()), |count| write!(f, ", {count} active"))?;
                ready.map_or(Ok(()), |count| write!(f, ", {count} ready"))
            }
            Self::Acknowledged(count) => write!(f, "{count} writes are acknowledged"),
            Self::FailedRequests(count) => write!(f, "{count} requests have failed"),
            Self::Command { name, is } => write!(f, "the command {name} is {}", format!("{is:?}").to_lowercase()),
            Self::Served { version, requests } => write!(f, "{requests} requests are answered by {version}"),
            Self::All(conditions) => {
                let texts: Vec<String> = conditions.iter().map(Self::to_string).collect();
                f.write_str(&texts.join(", and "))
            }
        }
    }
}
