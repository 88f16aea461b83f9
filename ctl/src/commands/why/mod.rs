//! `ctl why`: explains in one sentence what an object is waiting for, with evidence.
//!
//! `facts` reads everything once; `pod`, `rollout` and `node` decide, without access to the cluster.

mod facts;
mod namespace;
mod node;
mod pod;
mod rollout;

use jiff::Timestamp;
use serde_json::json;
use squall_api::Object;

use crate::cli::WhyArgs;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{line, named};
use crate::selection::{self, Namespaces};
use facts::Facts;

/// The answer and its evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Answer {
    /// The gate that blocks the object, in a word: `Surge`, `Available`, `Scheduling`...; `None` if nothing does.
    gate: Option<&'static str>,
    /// The answer as a sentence, without the object's name.
    says: String,
    evidence: Vec<Evidence>,
}

/// A fact taken from an object.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Evidence {
    /// `pod/kubia`.
    object: String,
    resource_version: String,
    says: String,
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
        Self { object: named(&object), resource_version: object.meta().resource_version.clone(), says: says.into() }
    }
}

/// Prints the answer for each object.
pub async fn run(context: &Context, args: WhyArgs) -> Result<(), Failure> {
    let json = match args.output.as_deref() {
        None | Some("") => false,
        Some("json") => true,
        Some(other) => {
            return Err(Failure::error(format!("unknown output format {other:?}: use json")));
        }
    };
    for target in selection::parse_named(&args.what)? {
        for name in &target.names {
            let namespace = selection::namespace_of(target.kind, context, Namespaces::Current);
            let object = selection::get(&context.client, target.kind, &namespace, name).await?;
            let facts = Facts::gather(context, &object).await?;
            let answer = answer(&object, &facts, Timestamp::now())?;
            if json {
                print_json(&object, &answer);
            } else {
                print(&object, &answer);
            }
        }
    }
    Ok(())
}

fn answer(object: &Object, facts: &Facts, now: Timestamp) -> Result<Answer, Failure> {
    match object {
        Object::Deployment(deployment) => Ok(rollout::of_deployment(deployment, facts, now)),
        Object::ReplicaSet(set) => {
            let status = rollout::Replicas {
                desired: set.spec.replicas.unwrap_or(1),
                have: set.status.replicas,
                available: set.status.available_replicas,
                failure: rollout::failure_of_set(set),
                min_ready_seconds: set.spec.min_ready_seconds,
            };
            Ok(rollout::of_replicas(object, &status, facts, now))
        }
        Object::ReplicationController(controller) => {
            let status = rollout::Replicas {
                desired: controller.spec.replicas.unwrap_or(1),
                have: controller.status.replicas,
                available: controller.status.available_replicas,
                failure: rollout::failure_of_controller(controller),
                min_ready_seconds: controller.spec.min_ready_seconds,
            };
            Ok(rollout::of_replicas(object, &status, facts, now))
        }
        Object::Pod(pod) => Ok(pod::of(pod, facts, 0, now)),
        Object::Node(node) => Ok(node::of(node, facts, now)),
        Object::Namespace(namespace) => Ok(namespace::of(namespace)),
        other => Err(Failure::error(format!(
            "cannot explain {}: use a deployment, replicaset, replicationcontroller, pod, node or namespace",
            other.kind().info().plural
        ))),
    }
}

fn print(object: &Object, answer: &Answer) {
    line(&format!("{} {}.", named(object), answer.says));
    let width = answer.evidence.iter().map(|evidence| evidence.object.chars().count()).max().unwrap_or(0);
    for evidence in &answer.evidence {
        line(&format!("  {:<width$}  {} (version {})", evidence.object, evidence.says, evidence.resource_version));
    }
}

fn print_json(object: &Object, answer: &Answer) {
    let evidence: Vec<_> = answer
        .evidence
        .iter()
        .map(|evidence| json!({"object": evidence.object, "resourceVersion": evidence.resource_version, "says": evidence.says}))
        .collect();
    let value = json!({
        "object": named(object),
        "namespace": object.meta().namespace,
        "resourceVersion": object.meta().resource_version,
        "gate": answer.gate,
        "answer": answer.says,
        "evidence": evidence,
    });
    line(&value.to_string());
}
