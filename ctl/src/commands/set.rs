//! `ctl set`: sets the images of containers and the selectors of services.

use squall_api::core::v1::{Container, PodSpec};
use squall_api::labels::Selector;
use squall_api::{Kind, Object};

use super::record::{Cause, note, record_cause, warn_of_record};
use crate::cli::{SetArgs, SetCommand};
use crate::context::Context;
use crate::failure::Failure;
use crate::modify::{modify, pod_template};
use crate::output::{Changes, named};
use crate::selection::{self, Wanted};

const NO_RESOURCES: &str = "one or more resources must be specified as <resource> <name> or <resource>/<name>";

/// Runs a command.
pub async fn run(context: &Context, command: SetCommand) -> Result<(), Failure> {
    match command {
        SetCommand::Image(args) => image(context, args).await,
        SetCommand::Selector(args) => selector(context, args).await,
    }
}

async fn image(context: &Context, args: SetArgs) -> Result<(), Failure> {
    let (images, what): (Vec<String>, Vec<String>) = args.words.iter().cloned().partition(|word| word.contains('='));
    let images: Vec<(&str, &str)> = images.iter().filter_map(|word| word.split_once('=')).collect();
    if what.is_empty() && args.filename.is_empty() {
        return Err(Failure::error(NO_RESOURCES));
    }
    if images.is_empty() {
        return Err(Failure::error("at least one image update is required"));
    }
    let cause = Cause::of(args.change.record);
    each(context, &args, &what, "image updated", |object| {
        if set_images(object, &images)? {
            note(object, cause);
        }
        Ok(())
    })
    .await
}

async fn selector(context: &Context, args: SetArgs) -> Result<(), Failure> {
    let Some((last, what)) = args.words.split_last().filter(|(last, _)| last.contains('=')) else {
        return Err(Failure::error("one resource and one selector are required: TYPE NAME KEY=VALUE,..."));
    };
    if what.is_empty() && args.filename.is_empty() {
        return Err(Failure::error(NO_RESOURCES));
    }
    let labels = pairs(last)?;
    each(context, &args, what, "selector updated", |object| match object {
        Object::Service(service) => {
            let labels = labels.iter().cloned().collect();
            if service.spec.selector != labels {
                service.spec.selector = labels;
                record_cause(object, Cause::of(args.change.record));
            }
            Ok(())
        }
        other => {
            Err(Failure::error(format!("setting a selector is only supported for Services, not for {}", named(other))))
        }
    })
    .await
}

/// Parses `app=kubia,tier=web`. Services support no other form of selector.
fn pairs(text: &str) -> Result<Vec<(String, String)>, Failure> {
    Selector::parse(text).map_err(Failure::error)?;
    let pairs = text.split(',').map(|pair| match pair.trim().split_once('=') {
        Some((key, value)) if !key.ends_with('!') && !value.starts_with('=') => Ok((key.to_owned(), value.to_owned())),
        _ => Err(Failure::error(format!("invalid service selector {pair:?}: use KEY=VALUE,..."))),
    });
    pairs.collect()
}

async fn each(
    context: &Context,
    args: &SetArgs,
    what: &[String],
    done: &str,
    change: impl Fn(&mut Object) -> Result<(), Failure>,
) -> Result<(), Failure> {
    warn_of_record(Cause::of(args.change.record));
    let changes = Changes::of(&args.change)?;
    let mut failures = Vec::new();
    let wanted = Wanted {
        what,
        filename: &args.filename,
        selector: args.selector.as_deref(),
        all: args.all,
        ..Wanted::default()
    };
    for chosen in selection::choose(context, wanted, &mut failures).await? {
        let how = (changes.dry_run, args.change.field_manager.as_deref());
        match modify(context, &chosen.resource, how, &change).await {
            Ok(Some(object)) => changes.tell(&object, done)?,
            // kubectl says nothing when there is nothing to change.
            Ok(None) => {}
            Err(failure) => failures.push(failure),
        }
    }
    Failure::all(failures)
}

/// Sets the images of the named containers. Returns whether anything has changed.
fn set_images(object: &mut Object, images: &[(&str, &str)]) -> Result<bool, Failure> {
    let name = named(object);
    let spec = pod_spec(object).ok_or_else(|| Failure::error(format!("{name} has no containers")))?;
    let before = spec.clone();
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
    Ok(*spec != before)
}

fn pod_spec(object: &mut Object) -> Option<&mut PodSpec> {
    if object.kind() != Kind::Pod {
        return pod_template(object).map(|template| &mut template.spec);
    }
    match object {
        Object::Pod(pod) => Some(&mut pod.spec),
        _ => None,
    }
}
