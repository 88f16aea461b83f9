//! `ctl rollout`.

mod change;
mod history;
mod live;
mod status;
mod undo;

use squall_api::apps::v1::{Deployment, ReplicaSet};
use squall_api::{Kind, revision};
use squall_client::{Api, ResourceRef};

use crate::cli::{RolloutCommand, RolloutTargets};
use crate::context::Context;
use crate::failure::Failure;
use crate::selection::{self, Wanted};

/// Runs a command.
pub async fn run(context: &Context, command: RolloutCommand) -> Result<(), Failure> {
    match command {
        RolloutCommand::Status(args) => status::run(context, args).await,
        RolloutCommand::History(args) => history::run(context, args).await,
        RolloutCommand::Undo(args) => undo::run(context, args).await,
        RolloutCommand::Pause(args) => change::run(context, change::RolloutChange::Pause, args).await,
        RolloutCommand::Resume(args) => change::run(context, change::RolloutChange::Resume, args).await,
        RolloutCommand::Restart(args) => change::run(context, change::RolloutChange::Restart, args).await,
    }
}

/// Finds the selected Deployments. Fails with `refusal` for each object of another kind.
async fn deployments(
    context: &Context,
    targets: &RolloutTargets,
    refusal: impl Fn(&ResourceRef) -> Failure,
) -> Result<Vec<ResourceRef>, Failure> {
    let mut failures = Vec::new();
    let wanted = Wanted {
        what: &targets.what,
        filename: &targets.filename,
        selector: targets.selector.as_deref(),
        // kubectl: `rollout history deployment` means all Deployments.
        all: true,
        ..Wanted::default()
    };
    let chosen = selection::choose(context, wanted, &mut failures).await?;
    let resources: Vec<ResourceRef> = chosen.into_iter().map(|chosen| chosen.resource).collect();
    failures.extend(resources.iter().filter(|resource| resource.kind != Kind::Deployment).map(refusal));
    Failure::all(failures)?;
    Ok(resources)
}

async fn deployment(context: &Context, resource: &ResourceRef) -> Result<Deployment, Failure> {
    let api: Api<Deployment> = Api::new(context.client.clone(), &resource.namespace);
    Ok(api.get(&resource.name).await?)
}

/// The ReplicaSets of a Deployment, sorted by revision.
async fn revisions(context: &Context, deployment: &Deployment) -> Result<Vec<ReplicaSet>, Failure> {
    let api: Api<ReplicaSet> = Api::new(context.client.clone(), &deployment.metadata.namespace);
    let mut sets = api.list("", "").await?;
    sets.retain(|set| revision::is_owned(set, deployment) && revision::revision(set) > 0);
    sets.sort_by_key(revision::revision);
    Ok(sets)
}
