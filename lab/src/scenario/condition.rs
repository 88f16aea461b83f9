//! Conditions that a scenario can wait for: on the store, on commands, on answers to clients.

use std::collections::BTreeMap;
use std::fmt::{self, Display};

use serde::{Deserialize, Serialize};
use squall_api::apps::v1::{Deployment, ReplicaSet};
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
        /// The number of ready pods.
        ready: Option<Count>,
        /// The number of pods, ready or not.
        active: Option<Count>,
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
            Self::Pods { image, ready, active } => {
                let pods = seen.world.pods().filter(|pod| pod.metadata.namespace == seen.namespace);
                let pods: Vec<_> = pods.filter(|pod| is_pod_active(pod) && has_image(pod, image.as_deref())).collect();
                let number = [pods.iter().filter(|pod| is_pod_ready(pod)).count(), pods.len()];
                let [are_ready, are_there] = number.map(|number| i64::try_from(number).unwrap_or(i64::MAX));
                let holds = |wanted: &Option<Count>, number| wanted.is_none_or(|wanted| wanted.holds(number));
                said(holds(ready, are_ready) && holds(active, are_there), || {
                    format!("found {are_there} such pods, {are_ready} of them ready")
                })
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

fn said(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

fn sized(name: &str, replicas: (Option<Count>, i64), available: (Option<Count>, i64)) -> Result<(), String> {
    let holds = |(wanted, number): (Option<Count>, i64)| wanted.is_none_or(|wanted| wanted.holds(number));
    said(holds(replicas) && holds(available), || {
        format!("{name} wants {} pods, {} are available", replicas.1, available.1)
    })
}

fn is_in(meta: &squall_api::metav1::v1::ObjectMeta, namespace: &str, name: &str) -> bool {
    meta.namespace == namespace && meta.name == name
}

fn first_image(containers: &[squall_api::core::v1::Container]) -> &str {
    containers.first().map_or("", |container| container.image.as_str())
}

fn has_image(pod: &squall_api::core::v1::Pod, image: Option<&str>) -> bool {
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
            Self::Pods { image, ready, active } => {
                write!(f, "pods of {}", image.as_deref().unwrap_or("any image"))?;
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
