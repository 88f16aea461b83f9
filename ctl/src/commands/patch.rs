//! `ctl patch`.

use serde_json::{Value, json};
use squall_api::{Object, manifest, patch};
use squall_client::{ResourceRef, WriteOptions};

use super::record::{CHANGE, CHANGE_CAUSE, Cause, change, command_line, warn_of_record};
use crate::cli::{DryRun, Part, PatchArgs, PatchForm};
use crate::context::Context;
use crate::failure::Failure;
use crate::files;
use crate::modify::{has_revisions, write_options};
use crate::output::{Changes, warnings};
use crate::selection::{self, Wanted};

/// Applies a patch to each object.
pub async fn run(context: &Context, args: PatchArgs) -> Result<(), Failure> {
    warn_of_record(Cause::of(args.change.record));
    let changes = Changes::of(&args.change)?;
    let text = match (&args.patch, &args.patch_file) {
        (Some(text), _) => text.clone(),
        (None, Some(file)) => {
            files::text(file).map_err(|error| Failure::error(format!("unable to read patch file: {error}")))?
        }
        (None, None) => {
            return Err(Failure::error("must specify --patch or --patch-file containing the contents of the patch"));
        }
    };
    let patch =
        manifest::parse(&text).map_err(|problem| Failure::error(format!("unable to parse {text:?}: {problem}")))?;
    let mut failures = Vec::new();
    let wanted = Wanted { what: &args.what, filename: &args.filename, ..Wanted::default() };
    for chosen in selection::choose(context, wanted, &mut failures).await? {
        if let Err(failure) = patch_one(context, &args, &changes, &chosen.resource, &patch).await {
            failures.push(failure);
        }
    }
    Failure::all(failures)
}

async fn patch_one(
    context: &Context,
    args: &PatchArgs,
    changes: &Changes,
    object: &ResourceRef,
    patch: &Value,
) -> Result<(), Failure> {
    let content_type = match args.form {
        PatchForm::Strategic => patch::STRATEGIC,
        PatchForm::Merge => patch::MERGE,
        PatchForm::Json => patch::JSON,
    };
    let before = selection::get(&context.client, object.kind, &object.namespace, &object.name).await?;
    let options = write_options(changes.dry_run, args.change.field_manager.as_deref());
    let resource = match args.subresource {
        Some(Part::Status) => object.clone().part("status"),
        Some(Part::Scale) => object.clone().part("scale"),
        None => object.clone(),
    };
    // As in kubectl, the server computes the result even for a client dry run.
    let dry = WriteOptions { dry_run: changes.dry_run != DryRun::None, ..options.clone() };
    let reply = context.client.patch_as(&resource, content_type, patch.to_string().into_bytes(), dry).await?;
    warnings(&reply.warnings);
    if matches!(args.subresource, Some(Part::Scale)) {
        changes.say(&format!("scale.autoscaling/{} patched", object.name));
        return Ok(());
    }
    let after = reply.object()?;
    let same = after.meta().resource_version == before.meta().resource_version && changes.dry_run == DryRun::None;
    if changes.dry_run == DryRun::None
        && let Some(note) = note(&before, &after, Cause::of(args.change.record))
    {
        context.client.patch(object, &note, options).await?;
    }
    changes.tell(&after, if same { "patched (no change)" } else { "patched" })
}

/// Returns the patch that records a change of the pod template, if there was one.
pub fn noted(before: &Object, after: &Object) -> Option<Value> {
    note(before, after, Cause::Kept)
}

/// Returns a second patch that records the first one: only the server knows the result of a patch.
fn note(before: &Object, after: &Object, cause: Cause) -> Option<Value> {
    let template = |object: &Object| match object {
        Object::Deployment(deployment) => Some(deployment.spec.template.clone()),
        _ => None,
    };
    let mut annotations = serde_json::Map::new();
    if has_revisions(after.kind()) && template(before) != template(after) {
        annotations.insert(CHANGE.to_owned(), change().into());
    }
    if cause == Cause::Command {
        annotations.insert(CHANGE_CAUSE.to_owned(), command_line().into());
    }
    (!annotations.is_empty()).then(|| json!({"metadata": {"annotations": annotations}}))
}
