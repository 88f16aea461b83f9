//! `ctl delete`.

use std::time::Duration;

use squall_client::{Client, DeleteRequest, Event, ResourceRef, Selection, Watch};

use crate::cli::{DeleteArgs, DryRun};
use crate::context::Context;
use crate::failure::Failure;
use crate::modify::write_options;
use crate::output::{Changes, line, line_error};
use crate::selection::{self, Wanted};

/// Deletes objects, and waits until they are gone.
pub async fn run(context: &Context, args: DeleteArgs) -> Result<(), Failure> {
    let how = how(&args)?;
    let changes = Changes::new(args.output.as_deref(), args.dry_run)?;
    if args.force {
        line_error(
            "Warning: Immediate deletion does not wait for confirmation that the running resource has been terminated. The resource may \
             continue to run on the cluster indefinitely.",
        );
    }
    let mut failures = Vec::new();
    let mut waiting = Vec::new();
    let wanted = Wanted { all: args.all, ..Wanted::of(&args.select, &args.filename) };
    let chosen = selection::choose(context, wanted, &mut failures).await?;
    if chosen.is_empty() && failures.is_empty() {
        line_error("No resources found");
    }
    for selection::Chosen { resource, file } in chosen {
        match delete(context, &resource, &how, args.dry_run).await {
            Ok(left) => {
                if changes.names_only() {
                    line(&format!("{}/{}", resource.kind.info().singular_group(), resource.name));
                } else {
                    changes.say(&deleted(&resource, if args.force { "force deleted" } else { "deleted" }));
                }
                waiting.extend(left.map(|uid| (resource, uid)));
            }
            Err(error) if error.is_not_found() && args.ignore_not_found => {}
            Err(error) => failures.push(match file {
                Some(file) => Failure::api_with_file(&error, "deleting", &file),
                None => error.into(),
            }),
        }
    }
    if args.wait && !args.force && args.dry_run == DryRun::None {
        let limit = args.timeout.filter(|timeout| !timeout.is_zero()).unwrap_or(Duration::MAX);
        let deadline = tokio::time::Instant::now().checked_add(limit);
        for (resource, uid) in waiting {
            let gone = wait_gone(&context.client, &resource, &uid);
            let name = format!("{}/{}", resource.kind.info().plural, resource.name);
            match deadline {
                Some(deadline) => match tokio::time::timeout_at(deadline, gone).await {
                    Ok(gone) => gone?,
                    Err(_) => failures.push(Failure::error(format!("timed out waiting for the condition on {name}"))),
                },
                None => gone.await?,
            }
        }
    }
    Failure::all(failures)
}

/// Deletes an object. Returns its uid if it still exists for now.
async fn delete(
    context: &Context,
    resource: &ResourceRef,
    how: &DeleteRequest,
    dry_run: DryRun,
) -> Result<Option<String>, squall_client::Error> {
    if dry_run == DryRun::Client {
        return selection::get(&context.client, resource.kind, &resource.namespace, &resource.name).await.map(|_| None);
    }
    let how = DeleteRequest { options: Some(write_options(dry_run, None)), ..how.clone() };
    let reply = context.client.delete(resource, how).await?;
    if reply.deleted { Ok(None) } else { Ok(Some(reply.object()?.meta().uid.clone())) }
}

/// `pod "kubia" deleted`: the word says how.
pub fn deleted(resource: &ResourceRef, done: &str) -> String {
    format!("{} {:?} {done}", resource.kind.info().singular_group(), resource.name)
}

fn how(args: &DeleteArgs) -> Result<DeleteRequest, Failure> {
    let propagation = match args.cascade.as_str() {
        "background" | "true" => "Background",
        "foreground" => "Foreground",
        "orphan" | "false" => "Orphan",
        other => {
            return Err(Failure::error(format!(
                "invalid cascade value ({other}). Must be \"background\", \"foreground\", or \"orphan\""
            )));
        }
    };
    if args.force && args.grace_period.is_some_and(|seconds| seconds > 0) {
        return Err(Failure::error("--force and --grace-period greater than 0 cannot be specified together"));
    }
    if args.now && args.grace_period.is_some() {
        return Err(Failure::error("--now and --grace-period cannot be specified together"));
    }
    let asked = if args.now { Some(1) } else { args.grace_period.filter(|seconds| *seconds >= 0) };
    // kubectl: without --force, a pod always gets at least one second to terminate.
    let grace = if args.force { Some(0) } else { asked.map(|seconds| seconds.max(1)) };
    Ok(DeleteRequest {
        propagation_policy: propagation.to_owned(),
        grace_period_seconds: grace,
        ..DeleteRequest::default()
    })
}

/// Waits until the object with this uid is gone.
pub async fn wait_gone(client: &Client, resource: &ResourceRef, uid: &str) -> Result<(), Failure> {
    let selection = Selection {
        kind: resource.kind,
        namespace: resource.namespace.clone(),
        labels: String::new(),
        fields: format!("metadata.name={}", resource.name),
    };
    let mut watch = Watch::new(client.clone(), selection);
    let mut there = false;
    loop {
        match watch.next().await? {
            Event::Applied(object, _) => there = object.meta().uid == uid,
            Event::Deleted(object, _) if object.meta().uid == uid => return Ok(()),
            Event::Complete(_) if !there => return Ok(()),
            Event::Begin => there = false,
            Event::Complete(_) | Event::Deleted(..) | Event::Progress(_) => {}
        }
    }
}
