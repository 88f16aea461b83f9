//! `ctl delete`.

use squall_api::Kind;
use squall_client::{Client, DeleteRequest, Event, ResourceRef, Selection, Watch};

use crate::cli::{DeleteArgs, Global};
use crate::context::Context;
use crate::failure::Failure;
use crate::manifests;
use crate::output::{line, line_error};
use crate::selection;

/// Deletes objects, and waits until they are gone.
pub async fn run(context: &Context, global: &Global, args: DeleteArgs) -> Result<(), Failure> {
    let how = how(&args)?;
    if args.force {
        line_error(
            "Warning: Immediate deletion does not wait for confirmation that the running resource has been terminated. The resource may \
             continue to run on the cluster indefinitely.",
        );
    }
    let mut failures = Vec::new();
    let mut waiting = Vec::new();
    for (resource, file) in resources(context, global, &args, &mut failures).await? {
        match context.client.delete(&resource, how.clone()).await {
            Ok(reply) => {
                let info = resource.kind.info();
                let done = if args.force { "force deleted" } else { "deleted" };
                line(&format!("{} {:?} {done}", info.singular_group(), resource.name));
                if !reply.deleted {
                    waiting.push((resource, reply.object()?.meta().uid.clone()));
                }
            }
            Err(error) if error.is_not_found() && args.ignore_not_found => {}
            Err(error) => failures.push(match file {
                Some(file) => Failure::api_with_file(&error, "deleting", &file),
                None => error.into(),
            }),
        }
    }
    if args.wait && !args.force {
        for (resource, uid) in waiting {
            wait_gone(&context.client, &resource, &uid).await?;
        }
    }
    Failure::all(failures)
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
    let grace = if args.force { Some(0) } else { args.grace_period.filter(|seconds| *seconds >= 0) };
    Ok(DeleteRequest {
        propagation_policy: propagation.to_owned(),
        grace_period_seconds: grace,
        ..DeleteRequest::default()
    })
}

/// What is to be deleted, and the file that says so.
async fn resources(
    context: &Context,
    global: &Global,
    args: &DeleteArgs,
    failures: &mut Vec<Failure>,
) -> Result<Vec<(ResourceRef, Option<String>)>, Failure> {
    if !args.filename.is_empty() {
        let documents = manifests::read(context, global.namespace.as_deref(), &args.filename, failures)?;
        if documents.is_empty() && failures.is_empty() {
            line_error("No resources found");
        }
        return Ok(documents.into_iter().map(|document| (document.object(), Some(document.file))).collect());
    }
    let mut resources = Vec::new();
    for target in selection::parse(&args.select.what)? {
        let place = |kind: Kind, namespace: &str, name: &str| (ResourceRef::object(kind, namespace, name), None);
        let namespace = selection::namespace_of(target.kind, context, false);
        if !target.names.is_empty() {
            resources.extend(target.names.iter().map(|name| place(target.kind, &namespace, name)));
            continue;
        }
        if args.select.selector.is_none() && args.select.field_selector.is_none() && !args.all {
            return Err(Failure::error("resource(s) were provided, but no name was specified"));
        }
        let objects = selection::fetch(context, &target, &args.select, failures).await?;
        resources
            .extend(objects.iter().map(|object| place(target.kind, &object.meta().namespace, &object.meta().name)));
    }
    if resources.is_empty() && failures.is_empty() {
        line_error("No resources found");
    }
    Ok(resources)
}

/// Waits until this very object is gone.
async fn wait_gone(client: &Client, resource: &ResourceRef, uid: &str) -> Result<(), Failure> {
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
