//! `ctl replace`: replaces objects with those in files.

use squall_api::{Object, manifest};
use squall_client::{DeleteRequest, Error};

use super::apply::{LAST_APPLIED, keep_applied};
use super::delete;
use super::patch::noted;
use super::record::{CHANGE, CHANGE_CAUSE, Cause, command_line, note_in_manifest, warn_of_record};
use crate::cli::{DryRun, ReplaceArgs};
use crate::context::Context;
use crate::failure::Failure;
use crate::manifests::{self, Document};
use crate::modify::write_options;
use crate::output::{Changes, warnings};
use crate::selection;

/// Replaces each object; continues after a failure.
pub async fn run(context: &Context, args: ReplaceArgs) -> Result<(), Failure> {
    warn_of_record(Cause::of(args.change.record));
    if args.grace_period.is_some() && !args.force {
        return Err(Failure::error("--grace-period must have --force specified"));
    }
    let changes = Changes::of(&args.change)?;
    let validation = manifests::validation(&args.manifests.validate)?;
    let mut failures = Vec::new();
    let documents = manifests::read_some(context, &args.manifests, "replace", &mut failures).await?;
    if args.force && changes.dry_run == DryRun::None {
        for document in &documents {
            remove(context, document, args.grace_period, &changes, &mut failures).await?;
        }
    }
    for mut document in documents {
        let mut options = write_options(changes.dry_run, args.change.field_manager.as_deref());
        validation.clone_into(&mut options.field_validation);
        match put(context, &mut document, &args, &changes, options).await {
            Ok(object) => changes.tell(&object, "replaced")?,
            Err(error) => failures.push(Failure::api_with_file(&error, "replacing", &document.file)),
        }
    }
    Failure::all(failures)
}

async fn remove(
    context: &Context,
    document: &Document,
    grace_period: Option<i64>,
    changes: &Changes,
    failures: &mut Vec<Failure>,
) -> Result<(), Failure> {
    let how = DeleteRequest {
        propagation_policy: "Background".to_owned(),
        grace_period_seconds: grace_period.filter(|seconds| *seconds >= 0),
        ..DeleteRequest::default()
    };
    match context.client.delete(&document.object(), how).await {
        Ok(reply) => {
            changes.say(&delete::deleted(&document.object(), "deleted"));
            if !reply.deleted {
                delete::wait_gone(&context.client, &document.object(), &reply.object()?.meta().uid).await?;
            }
        }
        Err(error) if error.is_not_found() => {}
        Err(error) => failures.push(Failure::api_with_file(&error, "deleting", &document.file)),
    }
    Ok(())
}

async fn put(
    context: &Context,
    document: &mut Document,
    args: &ReplaceArgs,
    changes: &Changes,
    options: squall_client::WriteOptions,
) -> Result<Object, Error> {
    let live = match selection::get(&context.client, document.kind, &document.namespace, document.name()).await {
        Ok(live) => Some(live),
        Err(error) if error.is_not_found() && args.force => None,
        Err(error) => return Err(error),
    };
    let Some(live) = live else { return create(context, document, args, changes, options).await };
    // Objects that are managed with apply stay so.
    if live.meta().annotations.contains_key(LAST_APPLIED) {
        keep_applied(document);
    }
    carry_along(document, &live, Cause::of(args.change.record));
    if changes.dry_run == DryRun::Client {
        return manifests::local(document.kind, document.json.clone());
    }
    let reply = context.client.update(&document.object(), document.manifest(), options.clone()).await?;
    warnings(&reply.warnings);
    let after = reply.object()?;
    if changes.dry_run == DryRun::None
        && let Some(note) = noted(&live, &after)
    {
        return context.client.patch(&document.object(), &note, options).await?.object();
    }
    Ok(after)
}

async fn create(
    context: &Context,
    document: &mut Document,
    args: &ReplaceArgs,
    changes: &Changes,
    options: squall_client::WriteOptions,
) -> Result<Object, Error> {
    if changes.dry_run == DryRun::Client {
        return manifests::local(document.kind, document.json.clone());
    }
    note_in_manifest(document.kind, &mut document.json, Cause::of(args.change.record));
    let reply = context.client.create(&document.collection(), document.manifest(), options).await?;
    warnings(&reply.warnings);
    reply.object()
}

/// Keeps the record of the current revision, which holds until the template changes.
fn carry_along(document: &mut Document, live: &Object, cause: Cause) {
    let change = live.meta().annotations.get(CHANGE).cloned();
    let Some(annotations) = manifest::annotations_mut(&mut document.json) else { return };
    if let Some(change) = change {
        annotations.entry(CHANGE).or_insert(change.into());
    }
    if cause == Cause::Command {
        annotations.insert(CHANGE_CAUSE.to_owned(), command_line().into());
    }
}
