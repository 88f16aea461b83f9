//! `ctl rollout undo`.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use squall_api::apps::v1::{Deployment, ReplicaSet};
use squall_api::core::v1::PodTemplateSpec;
use squall_api::revision::{self, OWN_ANNOTATIONS};
use squall_api::{manifest, patch};
use squall_client::ResourceRef;

use super::{deployment, deployments, revisions};
use crate::cli::{DryRun, RolloutUndoArgs};
use crate::commands::apply::LAST_APPLIED;
use crate::commands::diff::unified;
use crate::commands::record::{CHANGE, change};
use crate::context::Context;
use crate::failure::Failure;
use crate::modify::write_options;
use crate::output::{Changes, line_error, text};

/// Restores the template of an earlier revision.
pub async fn run(context: &Context, args: RolloutUndoArgs) -> Result<(), Failure> {
    let unsupported = |resource: &ResourceRef| {
        Failure::error(format!("no rollbacker has been implemented for {:?}", resource.kind.info().kind))
    };
    let mut failures = Vec::new();
    for resource in deployments(context, &args.targets, unsupported).await? {
        if let Err(failure) = undo(context, &resource, args.to_revision, args.dry_run).await {
            failures.push(failure);
        }
    }
    Failure::all(failures)
}

/// Undoes one rollout. Revision 0 is the one before the newest.
pub async fn undo(context: &Context, resource: &ResourceRef, to_revision: i64, dry_run: DryRun) -> Result<(), Failure> {
    let changes = Changes::new(None, dry_run)?;
    let deployment = deployment(context, resource).await?;
    let name = &resource.name;
    if deployment.spec.paused {
        return Err(Failure::error(
            "you cannot rollback a paused deployment; resume it first with 'ctl rollout resume' and try again",
        ));
    }
    let set = choose(revisions(context, &deployment).await?, name, to_revision)?;
    let template = revision::without_hash(&set.spec.template);
    if template == deployment.spec.template {
        changes.say(&format!(
            "deployment.apps/{name} skipped rollback (current template already matches revision {to_revision})"
        ));
        return Ok(());
    }
    if dry_run == DryRun::Client {
        let number = revision::revision(&set);
        text(&differences(&deployment.spec.template, &template, "current", &format!("revision {number}"))?);
    } else {
        warn_of_applied(&deployment);
        let patch = way_back(&deployment, &set, &template)?.to_string().into_bytes();
        context.client.patch_as(resource, patch::JSON, patch, write_options(dry_run, None)).await?;
    }
    changes.say(&format!("deployment.apps/{name} rolled back"));
    Ok(())
}

/// The differences between two templates, as `diff -u` shows them.
pub fn differences(
    before: &PodTemplateSpec,
    after: &PodTemplateSpec,
    before_name: &str,
    after_name: &str,
) -> Result<String, Failure> {
    let yaml = |template: &PodTemplateSpec| {
        let json = serde_json::to_value(template).map_err(Failure::error)?;
        manifest::to_yaml(&json).map_err(Failure::error)
    };
    Ok(unified(&yaml(before)?, &yaml(after)?, before_name, after_name))
}

/// Returns the patch. As in Kubernetes, it restores the template and the annotations, except those that belong to the
/// Deployment itself.
fn way_back(deployment: &Deployment, set: &ReplicaSet, template: &PodTemplateSpec) -> Result<Value, Failure> {
    let is_own = |key: &str| OWN_ANNOTATIONS.contains(&key);
    let own = deployment.metadata.annotations.iter().filter(|(key, _)| is_own(key));
    let travelling = set.metadata.annotations.iter().filter(|(key, _)| !is_own(key));
    let mut annotations: BTreeMap<String, String> =
        own.chain(travelling).map(|(key, value)| (key.clone(), value.clone())).collect();
    annotations.insert(CHANGE.to_owned(), change());
    let template = serde_json::to_value(template).map_err(Failure::error)?;
    Ok(json!([
        {"op": "replace", "path": "/spec/template", "value": template},
        {"op": "add", "path": "/metadata/annotations", "value": annotations},
    ]))
}

/// kubectl: warns that the last applied manifest will differ from the object.
fn warn_of_applied(deployment: &Deployment) {
    if deployment.metadata.annotations.contains_key(LAST_APPLIED) {
        line_error(&format!(
            "Warning: resource deployments/{} was previously managed with 'ctl apply'. Rolling back will not update the {LAST_APPLIED} \
             annotation, which may cause unexpected behavior on the next 'ctl apply'.",
            deployment.metadata.name
        ));
    }
}

/// The ReplicaSet of a revision; 0 means the one before the newest.
fn choose(mut sets: Vec<ReplicaSet>, name: &str, to_revision: i64) -> Result<ReplicaSet, Failure> {
    if to_revision == 0 {
        return match sets.len() {
            0 | 1 => Err(Failure::error(format!("no rollout history found for deployment {name:?}"))),
            many => Ok(sets.swap_remove(many - 2)),
        };
    }
    let found = sets.into_iter().find(|set| revision::revision(set) == to_revision);
    found.ok_or_else(|| Failure::error(format!("unable to find specified revision {to_revision} in history")))
}
