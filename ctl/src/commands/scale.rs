//! `ctl scale`.

use serde_json::json;
use squall_api::Object;
use squall_api::apiextensions::v1::CustomResourceSubresourceScale;
use squall_api::kinds::CustomObject;
use squall_client::{Event, ResourceRef, Selection, Watch};

use super::record::{CHANGE_CAUSE, Cause, command_line, warn_of_record};
use crate::cli::{DryRun, ScaleArgs};
use crate::context::Context;
use crate::failure::Failure;
use crate::modify::write_options;
use crate::output::Changes;
use crate::selection::{self, Wanted};

/// Sets the number of replicas.
pub async fn run(context: &Context, args: ScaleArgs) -> Result<(), Failure> {
    if args.replicas < 0 {
        return Err(Failure::error(
            "The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0",
        ));
    }
    warn_of_record(Cause::of(args.change.record));
    let changes = Changes::of(&args.change)?;
    let mut failures = Vec::new();
    let wanted = Wanted { all: args.all, ..Wanted::of(&args.select, &args.filename) };
    for chosen in selection::choose(context, wanted, &mut failures).await? {
        if let Err(failure) = scale(context, &args, &changes, &chosen.resource).await {
            failures.push(failure);
        }
    }
    Failure::all(failures)
}

async fn scale(context: &Context, args: &ScaleArgs, changes: &Changes, resource: &ResourceRef) -> Result<(), Failure> {
    let before = selection::get(&context.client, resource.kind, &resource.namespace, &resource.name).await;
    let before = before.map(|object| context.adopted(object)).map_err(|error| match error {
        squall_client::Error::Api(api) if api.is(squall_client::Reason::NotFound) => {
            Failure::error(format!("no objects passed to scale {}", api.status.message))
        }
        other => other.into(),
    })?;
    let replicas = spec_replicas(&before).ok_or_else(|| {
        Failure::error(format!("cannot scale {}: they have no replicas", resource.kind.info().plural_group()))
    })?;
    if let Some(expected) = args.current_replicas.filter(|expected| *expected >= 0 && *expected != replicas) {
        return Err(Failure::error(format!("Expected replicas to be {expected}, was {replicas}")));
    }
    let version = &before.meta().resource_version;
    if let Some(expected) = args.resource_version.as_ref().filter(|expected| *expected != version) {
        return Err(Failure::error(format!("Expected resource version to be {expected}, was {version}")));
    }
    if changes.dry_run == DryRun::Client {
        return changes.tell(&before, "scaled");
    }
    let mut patch = json!({"spec": {"replicas": args.replicas}});
    if args.current_replicas.is_some_and(|expected| expected >= 0) || args.resource_version.is_some() {
        // The write must fail if the object has changed since the check.
        patch["metadata"] = json!({"resourceVersion": version});
    }
    let options = write_options(changes.dry_run, args.change.field_manager.as_deref());
    context.client.patch(&resource.clone().part("scale"), &patch, options.clone()).await?;
    if args.change.record && changes.dry_run == DryRun::None {
        let note = json!({"metadata": {"annotations": {CHANGE_CAUSE: command_line()}}});
        context.client.patch(resource, &note, options).await?;
    }
    if let Some(timeout) = args.timeout.filter(|timeout| !timeout.is_zero()) {
        let waited = tokio::time::timeout(timeout, wait(context, resource, args.replicas)).await;
        waited.map_err(|_| Failure::error(format!("timed out waiting for {:?} to be synced", resource.name)))??;
    }
    let after = selection::get(&context.client, resource.kind, &resource.namespace, &resource.name).await?;
    changes.tell(&after, "scaled")
}

fn spec_replicas(object: &Object) -> Option<i32> {
    match object {
        Object::Deployment(deployment) => deployment.spec.replicas,
        Object::ReplicaSet(set) => set.spec.replicas,
        Object::ReplicationController(controller) => controller.spec.replicas,
        Object::Custom(object) => number(object, |scale| &scale.spec_replicas_path),
        _ => None,
    }
}

fn status_replicas(object: &Object) -> i32 {
    match object {
        Object::Deployment(deployment) => deployment.status.replicas,
        Object::ReplicaSet(set) => set.status.replicas,
        Object::ReplicationController(controller) => controller.status.replicas,
        Object::Custom(object) => number(object, |scale| &scale.status_replicas_path).unwrap_or(0),
        _ => 0,
    }
}

/// A number of an object of a user's kind, whose definition says where it is.
fn number(object: &CustomObject, place: impl Fn(&CustomResourceSubresourceScale) -> &str) -> Option<i32> {
    let number = object.at(place(object.version()?.scale()?))?.as_i64()?;
    i32::try_from(number).ok()
}

/// Waits until the number of replicas is reached, or somebody sets another one.
async fn wait(context: &Context, resource: &ResourceRef, replicas: i32) -> Result<(), Failure> {
    let selection = Selection {
        kind: resource.kind,
        namespace: resource.namespace.clone(),
        labels: String::new(),
        fields: format!("metadata.name={}", resource.name),
    };
    let mut watch = Watch::new(context.client.clone(), selection);
    loop {
        match watch.next().await? {
            Event::Applied(object, _) => {
                let object = context.adopted(*object);
                if spec_replicas(&object) != Some(replicas) || status_replicas(&object) == replicas {
                    return Ok(());
                }
            }
            Event::Deleted(..) => return Err(Failure::error("object has been deleted")),
            Event::Begin | Event::Complete(_) | Event::Progress(_) => {}
        }
    }
}
