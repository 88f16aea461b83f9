//! `ctl rollout status`: prints a line for each change, as kubectl does; on a terminal, draws each ReplicaSet.

use std::io::IsTerminal;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use squall_api::Kind;
use squall_api::apps::v1::{Deployment, ReplicaSet};
use squall_api::revision::{self, REVISION};
use squall_client::{Event, ResourceRef, Selection, Watch};

use super::live::View;
use super::{deployments, undo};
use crate::cli::{DryRun, RolloutStatusArgs};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{is_broken, line, line_error};

/// The progress of a rollout.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Progress {
    Going(String),
    Done(String),
    Failed(String),
}

/// The form of a change that is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// kubectl's words.
    Text,
    /// An object with the counts.
    Json,
}

impl Form {
    /// Reads the flag `--output`.
    fn parse(output: Option<&str>) -> Result<Self, Failure> {
        match output {
            None | Some("") => Ok(Self::Text),
            Some("json") => Ok(Self::Json),
            Some(other) => Err(Failure::error(format!("unknown output format {other:?}: use json"))),
        }
    }
}

/// Waits for rollouts to finish.
pub async fn run(context: &Context, args: RolloutStatusArgs) -> Result<(), Failure> {
    let form = Form::parse(args.output.as_deref())?;
    let unsupported = |resource: &ResourceRef| {
        Failure::error(format!("no status viewer has been implemented for {}", resource.kind.info().kind))
    };
    for resource in deployments(context, &args.targets, unsupported).await? {
        let follow = follow(context, &resource, &args, form);
        let limit = args.timeout.filter(|limit| !limit.is_zero()).unwrap_or(Duration::MAX);
        // Undo only a rollout that failed or timed out, not one that cannot be watched or whose watch was interrupted.
        let failure = match tokio::time::timeout(limit, follow).await {
            Ok(Ok(None)) => continue,
            Ok(Ok(Some(failure))) => failure,
            Ok(Err(failure)) => return Err(failure),
            Err(_) => Failure::error("timed out waiting for the condition"),
        };
        if args.undo_on_failure {
            line_error(&failure.text());
            undo::undo(context, &resource, 0, DryRun::None).await?;
            return Err(Failure::silent());
        }
        return Err(failure);
    }
    Ok(())
}

/// Follows a rollout to its end. Returns why it has failed, if it has.
async fn follow(
    context: &Context,
    resource: &ResourceRef,
    args: &RolloutStatusArgs,
    form: Form,
) -> Result<Option<Failure>, Failure> {
    let first = super::deployment(context, resource).await?;
    if !args.watch {
        return Ok(match tell(&first, args.revision, form)? {
            End::Failed(failure) => Some(failure),
            End::Not | End::Done => None,
        });
    }
    let selection =
        |kind, fields: String| Selection { kind, namespace: resource.namespace.clone(), labels: String::new(), fields };
    let fields = format!("metadata.name={}", resource.name);
    let mut watch = Watch::new(context.client.clone(), selection(Kind::Deployment, fields));
    // Draw the live view only for people.
    let live = std::io::stdout().is_terminal() && form == Form::Text;
    let mut sets = live.then(|| Watch::new(context.client.clone(), selection(Kind::ReplicaSet, String::new())));
    let mut view = View::new(&first);
    let mut there = false;
    loop {
        let event = tokio::select! {
            event = watch.next() => event?,
            Ok(event) = next(&mut sets) => {
                if let Event::Applied(object, _) = event && let Ok(set) = ReplicaSet::try_from(*object) {
                    view.note(set);
                    view.show();
                }
                continue;
            }
            _ = tokio::signal::ctrl_c() => return Err(Failure::silent().with_code(130)),
        };
        match event {
            Event::Applied(object, _) => {
                let deployment =
                    Deployment::try_from(*object).map_err(|_| Failure::error("the watch returned another kind"))?;
                view.take(&deployment);
                there = true;
                let end = match live {
                    true => shown(&deployment, args.revision, &mut view)?,
                    false => tell(&deployment, args.revision, form)?,
                };
                match end {
                    End::Done => return Ok(None),
                    End::Failed(failure) => return Ok(Some(failure)),
                    End::Not if is_broken() => return Ok(None),
                    End::Not => {}
                }
            }
            // It may have been deleted while the watch was interrupted: then the new list does not contain it.
            Event::Complete(_) if there => {}
            Event::Deleted(..) | Event::Complete(_) => return Err(Failure::error("object has been deleted")),
            Event::Begin => there = false,
            Event::Progress(_) => {}
        }
    }
}

async fn next(watch: &mut Option<Watch>) -> Result<Event, squall_client::Error> {
    match watch {
        Some(watch) => watch.next().await,
        None => std::future::pending().await,
    }
}

/// Whether a rollout has ended, and how.
enum End {
    Not,
    Done,
    Failed(Failure),
}

/// Draws a change.
fn shown(deployment: &Deployment, wanted: i64, view: &mut View) -> Result<End, Failure> {
    check_revision(deployment, wanted)?;
    let progress = progress(deployment);
    let (Progress::Going(text) | Progress::Done(text) | Progress::Failed(text)) = &progress;
    view.say(text);
    view.show();
    match progress {
        Progress::Going(_) => Ok(End::Not),
        Progress::Done(text) => {
            view.end();
            line(&text);
            Ok(End::Done)
        }
        Progress::Failed(text) => {
            view.end();
            Ok(End::Failed(Failure::error(text)))
        }
    }
}

/// Prints a change.
fn tell(deployment: &Deployment, wanted: i64, form: Form) -> Result<End, Failure> {
    check_revision(deployment, wanted)?;
    let progress = progress(deployment);
    match (form, &progress) {
        (Form::Json, _) => line(&event(deployment, &progress)),
        (Form::Text, Progress::Going(text) | Progress::Done(text)) => line(text),
        // The failure itself is the last line.
        (Form::Text, Progress::Failed(_)) => {}
    }
    Ok(match progress {
        Progress::Going(_) => End::Not,
        Progress::Done(_) => End::Done,
        Progress::Failed(text) => End::Failed(Failure::error(text)),
    })
}

fn event(deployment: &Deployment, progress: &Progress) -> String {
    let status = &deployment.status;
    let (state, message) = match progress {
        Progress::Going(text) => ("progressing", text),
        Progress::Done(text) => ("complete", text),
        Progress::Failed(text) => ("failed", text),
    };
    json!({
        "time": Timestamp::now().to_string(),
        "deployment": deployment.metadata.name,
        "namespace": deployment.metadata.namespace,
        "resourceVersion": deployment.metadata.resource_version,
        "revision": revision_of(deployment),
        "state": state,
        "message": message,
        "desired": deployment.spec.replicas.unwrap_or(1),
        "replicas": status.replicas,
        "updated": status.updated_replicas,
        "ready": status.ready_replicas,
        "available": status.available_replicas,
    })
    .to_string()
}

fn revision_of(deployment: &Deployment) -> i64 {
    deployment.metadata.annotations.get(REVISION).and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Fails if another revision than the requested one is rolled out.
fn check_revision(deployment: &Deployment, wanted: i64) -> Result<(), Failure> {
    let running = revision_of(deployment);
    if wanted > 0 && wanted != running {
        let text = format!("desired revision ({wanted}) is different from the running revision ({running})");
        return Err(Failure::error(text));
    }
    Ok(())
}

/// Kubernetes: `DeploymentStatusViewer`.
fn progress(deployment: &Deployment) -> Progress {
    let (name, status) = (&deployment.metadata.name, &deployment.status);
    let desired = deployment.spec.replicas.unwrap_or(1);
    if deployment.metadata.generation > status.observed_generation {
        return Progress::Going("Waiting for deployment spec update to be observed...".to_owned());
    }
    if status
        .conditions
        .iter()
        .any(|condition| condition.r#type == "Progressing" && condition.reason == "ProgressDeadlineExceeded")
    {
        return Progress::Failed(format!("deployment {name:?} exceeded its progress deadline"));
    }
    let waiting =
        |rest: String| Progress::Going(format!("Waiting for deployment {name:?} rollout to finish: {rest}..."));
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
    Progress::Done(format!("deployment {name:?} successfully rolled out"))
}

/// The revision of a ReplicaSet, if the Deployment owns it.
pub(super) fn number_of(set: &ReplicaSet, deployment: &Deployment) -> Option<i64> {
    revision::is_owned(set, deployment).then(|| revision::revision(set))
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_api::apps::v1::DeploymentCondition;

    fn deployment(updated: i32, replicas: i32, available: i32) -> Deployment {
        let mut deployment = Deployment::default();
        deployment.metadata.name = "kubia".to_owned();
        deployment.spec.replicas = Some(3);
        deployment.status.updated_replicas = updated;
        deployment.status.replicas = replicas;
        deployment.status.available_replicas = available;
        deployment
    }

    fn text(progress: Progress) -> String {
        let (Progress::Going(text) | Progress::Done(text) | Progress::Failed(text)) = progress;
        text
    }

    #[test]
    fn the_first_thing_that_is_missing_is_told() {
        let told = |updated, replicas, available| text(progress(&deployment(updated, replicas, available)));
        assert!(told(2, 4, 4).ends_with("2 out of 3 new replicas have been updated..."));
        assert!(told(3, 4, 4).ends_with("1 old replicas are pending termination..."));
        assert!(told(3, 3, 2).ends_with("2 of 3 updated replicas are available..."));
        assert_eq!(told(3, 3, 3), "deployment \"kubia\" successfully rolled out");
    }

    #[test]
    fn what_is_not_observed_or_failed_or_another_revision_is_told_first() {
        let mut late = deployment(3, 3, 3);
        late.metadata.generation = 2;
        assert!(text(progress(&late)).contains("to be observed"));
        assert!(check_revision(&late, 7).unwrap_err().text().contains("desired revision (7)"));
        let mut failed = deployment(1, 4, 3);
        let reason = "ProgressDeadlineExceeded".to_owned();
        failed.status.conditions.push(DeploymentCondition {
            r#type: "Progressing".to_owned(),
            reason,
            ..Default::default()
        });
        assert!(matches!(progress(&failed), Progress::Failed(_)));
    }
}
