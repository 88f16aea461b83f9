//! `ctl rollout status` and `ctl rollout undo`.

use std::time::Duration;

use squall_api::Kind;
use squall_api::apps::v1::{Deployment, ReplicaSet};
use squall_api::revision::{self, OWN_ANNOTATIONS};
use squall_client::{Api, Event, Selection, Watch};

use crate::cli::{RolloutStatusArgs, RolloutUndoArgs};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::line;
use crate::selection;

/// The names of Deployments that the words mean.
fn deployments(words: &[String], what: &str) -> Result<Vec<String>, Failure> {
    let targets = selection::parse_named(words)?;
    match targets.iter().find(|target| target.kind != Kind::Deployment) {
        Some(other) => Err(Failure::error(format!("no {what} has been implemented for {}", other.kind.info().kind))),
        None => Ok(targets.into_iter().flat_map(|target| target.names).collect()),
    }
}

/// How a rollout is doing.
enum Progress {
    Going(String),
    Done(String),
}

/// Waits for rollouts to finish; each change is told.
pub async fn status(context: &Context, args: RolloutStatusArgs) -> Result<(), Failure> {
    for name in deployments(&args.what, "status viewer")? {
        let follow = follow(context, &name, args.watch);
        let limit = args.timeout.filter(|limit| !limit.is_zero()).unwrap_or(Duration::MAX);
        match tokio::time::timeout(limit, follow).await {
            Ok(result) => result?,
            Err(_) => return Err(Failure::error("timed out waiting for the condition")),
        }
    }
    Ok(())
}

async fn follow(context: &Context, name: &str, watch: bool) -> Result<(), Failure> {
    let api: Api<Deployment> = Api::new(context.client.clone(), &context.namespace);
    let first = api.get(name).await?;
    if !watch {
        let (Progress::Going(text) | Progress::Done(text)) = progress(&first)?;
        line(&text);
        return Ok(());
    }
    let selection = Selection {
        kind: Kind::Deployment,
        namespace: context.namespace.clone(),
        labels: String::new(),
        fields: format!("metadata.name={name}"),
    };
    let mut watch = Watch::new(context.client.clone(), selection);
    loop {
        match watch.next().await? {
            Event::Applied(object, _) => {
                let deployment =
                    Deployment::try_from(*object).map_err(|_| Failure::error("the watch gave another kind"))?;
                match progress(&deployment)? {
                    Progress::Going(text) => line(&text),
                    Progress::Done(text) => {
                        line(&text);
                        return Ok(());
                    }
                }
            }
            Event::Deleted(..) => return Err(Failure::error("object has been deleted")),
            Event::Begin | Event::Complete(_) | Event::Progress(_) => {}
        }
    }
}

/// Kubernetes: `DeploymentStatusViewer`.
fn progress(deployment: &Deployment) -> Result<Progress, Failure> {
    let (name, status) = (&deployment.metadata.name, &deployment.status);
    let desired = deployment.spec.replicas.unwrap_or(1);
    if deployment.metadata.generation > status.observed_generation {
        return Ok(Progress::Going("Waiting for deployment spec update to be observed...".to_owned()));
    }
    if status
        .conditions
        .iter()
        .any(|condition| condition.r#type == "Progressing" && condition.reason == "ProgressDeadlineExceeded")
    {
        return Err(Failure::error(format!("deployment {name:?} exceeded its progress deadline")));
    }
    let waiting =
        |rest: String| Ok(Progress::Going(format!("Waiting for deployment {name:?} rollout to finish: {rest}...")));
    if status.updated_replicas < desired {
        return waiting(format!("{} out of {desired} new replicas have been updated", status.updated_replicas));
    }
    if status.replicas > status.updated_replicas {
        return waiting(format!("{} old replicas are pending termination", status.replicas - status.updated_replicas));
    }
    if status.available_replicas < status.updated_replicas {
        return waiting(format!(
            "{} of {} updated replicas are available",
            status.available_replicas, status.updated_replicas
        ));
    }
    Ok(Progress::Done(format!("deployment {name:?} successfully rolled out")))
}

/// Puts the template of an earlier revision back.
pub async fn undo(context: &Context, args: RolloutUndoArgs) -> Result<(), Failure> {
    for name in deployments(&args.what, "rollbacker")? {
        undo_one(context, &name, args.to_revision).await?;
    }
    Ok(())
}

async fn undo_one(context: &Context, name: &str, to_revision: i64) -> Result<(), Failure> {
    let api: Api<Deployment> = Api::new(context.client.clone(), &context.namespace);
    let deployment = api.get(name).await?;
    if deployment.spec.paused {
        return Err(Failure::error(
            "you cannot rollback a paused deployment; resume it first with 'ctl rollout resume' and try again",
        ));
    }
    let sets: Vec<ReplicaSet> = Api::new(context.client.clone(), &context.namespace).list("", "").await?;
    let mine = sets.into_iter().filter(|set| revision::is_owned(set, &deployment)).collect();
    let set = choose(mine, name, to_revision)?;
    let template = revision::without_hash(&set.spec.template);
    if template == deployment.spec.template {
        line(&format!(
            "deployment.apps/{name} skipped rollback (current template already matches revision {to_revision})"
        ));
        return Ok(());
    }
    let mut changed = deployment.clone();
    changed.spec.template = template;
    changed.metadata.annotations.retain(|key, _| OWN_ANNOTATIONS.contains(&key.as_str()));
    let travelling = set.metadata.annotations.into_iter().filter(|(key, _)| !OWN_ANNOTATIONS.contains(&key.as_str()));
    changed.metadata.annotations.extend(travelling);
    changed.metadata.resource_version.clear();
    api.update(changed).await?;
    line(&format!("deployment.apps/{name} rolled back"));
    Ok(())
}

/// The ReplicaSet of a revision; 0 means the one before the newest.
fn choose(mut sets: Vec<ReplicaSet>, name: &str, to_revision: i64) -> Result<ReplicaSet, Failure> {
    sets.sort_by_key(|set| std::cmp::Reverse(revision::revision(set)));
    if to_revision == 0 {
        return sets
            .into_iter()
            .nth(1)
            .ok_or_else(|| Failure::error(format!("no rollout history found for deployment {name:?}")));
    }
    let found = sets.into_iter().find(|set| revision::revision(set) == to_revision);
    found.ok_or_else(|| Failure::error(format!("unable to find specified revision {to_revision} in history")))
}
