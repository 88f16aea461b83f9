//! What can be waited for: what the store shows, what commands do, what clients are answered.

use std::collections::BTreeMap;
use std::fmt::{self, Display};

use serde::{Deserialize, Serialize};
use squall_api::apps::v1::{Deployment, ReplicaSet};
use squall_api::kinds::{is_pod_active, is_pod_ready};

use super::count::Count;
use squall_referee::history::World;

/// Something that is so, or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Condition {
    /// A Deployment has all its pods of the newest version, and all of them are available.
    RolledOut {
        /// Its name.
        deployment: String,
        /// The image of its pods.
        image: Option<String>,
    },
    /// The newest ReplicaSet of a Deployment is there.
    NewReplicaSet {
        /// The Deployment's name.
        deployment: String,
        /// The image of its pods; else any.
        image: Option<String>,
        /// For how many pods it was asked.
        replicas: Option<Count>,
        /// How many it says are available.
        available: Option<Count>,
    },
    /// The other ReplicaSets of a Deployment.
    OldReplicaSets {
        /// The Deployment's name.
        deployment: String,
        /// For how many pods they were asked in all.
        replicas: Count,
    },
    /// A ReplicationController is there.
    Controller {
        /// Its name.
        name: String,
        /// For how many pods it was asked.
        replicas: Option<Count>,
        /// How many it says are available.
        available: Option<Count>,
    },
    /// A ReplicationController is not there.
    NoController(String),
    /// Pods that are not asked to end.
    Pods {
        /// Their image; else any.
        image: Option<String>,
        /// How many are ready.
        ready: Option<Count>,
        /// How many there are, ready or not.
        active: Option<Count>,
    },
    /// A command that runs beside.
    Command {
        /// By which name.
        name: String,
        /// How it is.
        is: ClientState,
    },
    /// Requests that were answered by a version.
    Served {
        /// Which.
        version: String,
        /// How many.
        requests: Count,
    },
    /// So many requests have failed.
    FailedRequests(Count),
    /// All of these at once.
    All(Vec<Condition>),
}

/// How a command is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ClientState {
    /// It runs.
    Running,
    /// It has stopped itself, or was stopped.
    Stopped,
    /// It is no more.
    Ended,
}

/// What there is to see in one arm.
pub struct Seen<'a> {
    /// What the store has.
    pub world: &'a World,
    /// The arm's namespace.
    pub namespace: &'a str,
    /// Its commands.
    pub commands: BTreeMap<String, ClientState>,
    /// What answered its requests.
    pub answers: BTreeMap<String, usize>,
    /// How many of them failed.
    pub failed: usize,
}

impl Condition {
    /// Whether it is so; the error says what there is instead.
    pub fn holds(&self, seen: &Seen<'_>) -> Result<(), String> {
        match self {
            Self::RolledOut { deployment, image } => rolled_out(seen.deployment(deployment)?, image.as_deref()),
            Self::NewReplicaSet { deployment, image, replicas, available } => {
                let (new, _) = seen.sets(deployment)?;
                let new = new.ok_or_else(|| format!("deployment {deployment} has no new ReplicaSet"))?;
                let has = first_image(&new.spec.template.spec.containers);
                if let Some(wanted) = image.as_ref().filter(|wanted| *wanted != has) {
                    return Err(format!("the newest ReplicaSet of {deployment} is of {has}, not of {wanted}"));
                }
                let (size, there) = (i64::from(new.spec.replicas.unwrap_or(1)), new.status.available_replicas.into());
                sized(&new.metadata.name, (*replicas, size), (*available, there))
            }
            Self::OldReplicaSets { deployment, replicas } => {
                let (_, old) = seen.sets(deployment)?;
                let total = old.iter().map(|set| i64::from(set.spec.replicas.unwrap_or(1))).sum();
                said(replicas.holds(total), || {
                    format!("the old ReplicaSets of {deployment} are asked for {total} pods")
                })
            }
            Self::Controller { name, replicas, available } => {
                let controller = seen.world.controllers().find(|rc| is_in(&rc.metadata, seen.namespace, name));
                let rc = controller.ok_or_else(|| format!("there is no ReplicationController {name}"))?;
                let (size, there) = (i64::from(rc.spec.replicas.unwrap_or(1)), rc.status.available_replicas.into());
                sized(name, (*replicas, size), (*available, there))
            }
            Self::NoController(name) => {
                let found = seen.world.controllers().any(|rc| is_in(&rc.metadata, seen.namespace, name));
                said(!found, || format!("the ReplicationController {name} is there"))
            }
            Self::Pods { image, ready, active } => {
                let pods = seen.world.pods().filter(|pod| pod.metadata.namespace == seen.namespace);
                let pods: Vec<_> = pods.filter(|pod| is_pod_active(pod) && has_image(pod, image.as_deref())).collect();
                let number = [pods.iter().filter(|pod| is_pod_ready(pod)).count(), pods.len()];
                let [are_ready, are_there] = number.map(|number| i64::try_from(number).unwrap_or(i64::MAX));
                let holds = |wanted: &Option<Count>, number| wanted.is_none_or(|wanted| wanted.holds(number));
                said(holds(ready, are_ready) && holds(active, are_there), || {
                    format!("there are {are_there} such pods, {are_ready} of them ready")
                })
            }
            Self::FailedRequests(count) => {
                let number = i64::try_from(seen.failed).unwrap_or(i64::MAX);
                said(count.holds(number), || format!("{number} requests failed"))
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

    /// The same with names filled in for `${key}`.
    pub fn filled(&self, fill: &dyn Fn(&str) -> String) -> Self {
        let mut filled = self.clone();
        match &mut filled {
            Self::RolledOut { deployment: name, image: None }
            | Self::NewReplicaSet { deployment: name, image: None, .. }
            | Self::OldReplicaSets { deployment: name, .. }
            | Self::Controller { name, .. }
            | Self::NoController(name)
            | Self::Command { name, .. }
            | Self::Served { version: name, .. }
            | Self::Pods { image: Some(name), .. } => *name = fill(name),
            Self::RolledOut { deployment, image: Some(image) }
            | Self::NewReplicaSet { deployment, image: Some(image), .. } => {
                (*deployment, *image) = (fill(deployment), fill(image));
            }
            Self::Pods { image: None, .. } | Self::FailedRequests(_) => {}
            Self::All(conditions) => *conditions = conditions.iter().map(|condition| condition.filled(fill)).collect(),
        }
        filled
    }
}

fn said(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

fn sized(name: &str, replicas: (Option<Count>, i64), available: (Option<Count>, i64)) -> Result<(), String> {
    let holds = |(wanted, number): (Option<Count>, i64)| wanted.is_none_or(|wanted| wanted.holds(number));
    said(holds(replicas) && holds(available), || {
        format!("{name} is asked for {} pods, of which {} are available", replicas.1, available.1)
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
                write!(f, ", asked for {count}")?;
            }
            available.map_or(Ok(()), |count| write!(f, ", available {count}"))
        };
        match self {
            Self::RolledOut { deployment, image: None } => write!(f, "deployment {deployment} is rolled out"),
            Self::RolledOut { deployment, image: Some(image) } => {
                write!(f, "deployment {deployment} is rolled out with {image}")
            }
            Self::NewReplicaSet { deployment, image, replicas, available } => {
                write!(f, "the new ReplicaSet of {deployment} is there")?;
                image.as_ref().map_or(Ok(()), |image| write!(f, ", of {image}"))?;
                and(f, replicas, available)
            }
            Self::OldReplicaSets { deployment, replicas } => {
                write!(f, "the old ReplicaSets of {deployment} are asked for {replicas} pods")
            }
            Self::Controller { name, replicas, available } => {
                write!(f, "the ReplicationController {name} is there")?;
                and(f, replicas, available)
            }
            Self::NoController(name) => write!(f, "there is no ReplicationController {name}"),
            Self::Pods { image, ready, active } => {
                write!(f, "pods of {}", image.as_deref().unwrap_or("any image"))?;
                active.map_or(Ok(()), |count| write!(f, ": there are {count}"))?;
                ready.map_or(Ok(()), |count| write!(f, ", ready are {count}"))
            }
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
