//! `ctl set image`.

use squall_api::core::v1::{Container, PodSpec};
use squall_api::error::Reason;
use squall_api::{Kind, Object};
use squall_client::{ResourceRef, WriteOptions, manifest};

use super::record::{CHANGE_CAUSE, command_line};
use crate::cli::SetImageArgs;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{line, named};
use crate::selection;

/// How often a change is made anew when the object changed meanwhile.
const ATTEMPTS: usize = 5;

/// Sets the images of the named containers.
pub async fn run(context: &Context, args: SetImageArgs) -> Result<(), Failure> {
    let (images, what): (Vec<String>, Vec<String>) = args.what.into_iter().partition(|word| word.contains('='));
    if images.is_empty() {
        return Err(Failure::error("at least one image update is required"));
    }
    if what.is_empty() {
        return Err(Failure::error(
            "one or more resources must be specified as <resource> <name> or <resource>/<name>",
        ));
    }
    let images: Vec<(&str, &str)> = images.iter().filter_map(|word| word.split_once('=')).collect();
    let mut failures = Vec::new();
    for target in selection::parse_named(&what)? {
        for name in &target.names {
            if let Err(failure) = set(context, target.kind, name, &images, args.record).await {
                failures.push(failure);
            }
        }
    }
    Failure::all(failures)
}

async fn set(context: &Context, kind: Kind, name: &str, images: &[(&str, &str)], record: bool) -> Result<(), Failure> {
    let namespace = selection::namespace_of(kind, context, false);
    let resource = ResourceRef::object(kind, &namespace, name);
    for attempt in 1.. {
        let before = selection::get(&context.client, kind, &namespace, name).await?;
        let mut after = before.clone();
        change(&mut after, images)?;
        if after == before {
            return Ok(());
        }
        if record {
            after.meta_mut().annotations.insert(CHANGE_CAUSE.to_owned(), command_line());
        }
        match context.client.update(&resource, manifest(&after), WriteOptions::default()).await {
            Ok(reply) => {
                line(&format!("{} image updated", named(&reply.object()?)));
                return Ok(());
            }
            Err(error) if error.is(Reason::Conflict) && attempt < ATTEMPTS => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn change(object: &mut Object, images: &[(&str, &str)]) -> Result<(), Failure> {
    let name = named(object);
    let spec = pod_spec(object).ok_or_else(|| Failure::error(format!("{name} has no containers")))?;
    for (wanted, image) in images {
        let chosen = |container: &&mut Container| *wanted == "*" || container.name == *wanted;
        let mut found = false;
        for container in spec.init_containers.iter_mut().chain(&mut spec.containers).filter(chosen) {
            (*image).clone_into(&mut container.image);
            found = true;
        }
        if !found {
            return Err(Failure::error(format!("unable to find container named {wanted:?}")));
        }
    }
    Ok(())
}

fn pod_spec(object: &mut Object) -> Option<&mut PodSpec> {
    match object {
        Object::Deployment(deployment) => Some(&mut deployment.spec.template.spec),
        Object::ReplicaSet(set) => Some(&mut set.spec.template.spec),
        Object::ReplicationController(controller) => {
            controller.spec.template.as_mut().map(|template| &mut template.spec)
        }
        Object::Pod(pod) => Some(&mut pod.spec),
        _ => None,
    }
}
