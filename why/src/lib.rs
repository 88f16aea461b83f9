//! Explains in one sentence what an object is waiting for, with evidence.
//!
//! `facts` reads everything once; `pod`, `rollout`, `node` and `namespace` decide, without access to the cluster.

mod facts;
mod namespace;
mod node;
mod pod;
mod rollout;

use std::fmt::{self, Display};

use jiff::Timestamp;
use squall_api::{Kind, Object};
use squall_client::{Client, Error};

use facts::Facts;

/// The kinds that can be explained.
pub const KINDS: [Kind; 6] =
    [Kind::Deployment, Kind::ReplicaSet, Kind::ReplicationController, Kind::Pod, Kind::Node, Kind::Namespace];

/// The answer and its evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The gate that blocks the object, in a word: `Surge`, `Available`, `Scheduling`...; `None` if nothing does.
    pub gate: Option<&'static str>,
    /// The answer as a sentence, without the object's name.
    pub says: String,
    /// The facts that it rests on.
    pub evidence: Vec<Evidence>,
}

/// A fact taken from an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// `pod/kubia`.
    pub object: String,
    /// The version of the object that shows it.
    pub resource_version: String,
    /// The fact.
    pub says: String,
}

impl Answer {
    fn held(gate: &'static str, says: impl Into<String>) -> Self {
        Self { gate: Some(gate), says: says.into(), evidence: Vec::new() }
    }

    fn free(says: impl Into<String>) -> Self {
        Self { gate: None, says: says.into(), evidence: Vec::new() }
    }

    fn with(mut self, evidence: impl IntoIterator<Item = Evidence>) -> Self {
        self.evidence.extend(evidence);
        self
    }
}

impl Evidence {
    fn of(object: impl Into<Object>, says: impl Into<String>) -> Self {
        let object = object.into();
        Self {
            object: format!("{}/{}", object.kind().info().singular_group(), object.meta().name),
            resource_version: object.meta().resource_version.clone(),
            says: says.into(),
        }
    }
}

impl Display for Answer {
    /// The sentence, and the facts in parentheses.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.says)?;
        let facts: Vec<String> = self.evidence.iter().map(|fact| format!("{} {}", fact.object, fact.says)).collect();
        if facts.is_empty() { Ok(()) } else { write!(f, " ({})", facts.join("; ")) }
    }
}

/// Explains what an object is waiting for now. Returns `None` for a kind that is not in [`KINDS`].
///
/// # Errors
/// If the related objects cannot be read.
pub async fn explain(client: &Client, object: &Object) -> Result<Option<Answer>, Error> {
    if !KINDS.contains(&object.kind()) {
        return Ok(None);
    }
    let facts = Facts::gather(client, object).await?;
    Ok(answer(object, &facts, Timestamp::now()))
}

fn answer(object: &Object, facts: &Facts, now: Timestamp) -> Option<Answer> {
    match object {
        Object::Deployment(deployment) => Some(rollout::of_deployment(deployment, facts, now)),
        Object::ReplicaSet(set) => {
            let status = rollout::Replicas {
                desired: set.spec.replicas.unwrap_or(1),
                have: set.status.replicas,
                available: set.status.available_replicas,
                failure: rollout::failure_of_set(set),
                min_ready_seconds: set.spec.min_ready_seconds,
            };
            Some(rollout::of_replicas(object, &status, facts, now))
        }
        Object::ReplicationController(controller) => {
            let status = rollout::Replicas {
                desired: controller.spec.replicas.unwrap_or(1),
                have: controller.status.replicas,
                available: controller.status.available_replicas,
                failure: rollout::failure_of_controller(controller),
                min_ready_seconds: controller.spec.min_ready_seconds,
            };
            Some(rollout::of_replicas(object, &status, facts, now))
        }
        Object::Pod(pod) => Some(pod::of(pod, facts, 0, now)),
        Object::Node(node) => Some(node::of(node, facts, now)),
        Object::Namespace(namespace) => Some(namespace::of(namespace)),
        _ => None,
    }
}
