//! `ctl rolling-update`: updates a replication controller step by step, driven by the client, as kubectl did up to
//! version 1.17.
//!
//! The servers know nothing of it. If this command dies, the update stays half done: two controllers, mixed versions,
//! labels that nobody asked for. It is kept to demonstrate this; a Deployment does the same work in the cluster.
//!
//! `prologue` tells the old pods from the new ones, `update` moves replicas over as `arithmetic` says, `finish` cleans up.

mod arithmetic;
mod controllers;
mod finish;
mod prologue;
mod steps;
mod update;

use squall_api::core::v1::ReplicationController;
use squall_api::error::Reason;

use crate::cli::RollingUpdateArgs;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Format, Shown, line, line_error, print_objects};
use controllers::Controllers;
use finish::Cleanup;
use steps::Steps;
use update::Update;

/// The annotation of the old controller with the name of the new one.
const NEXT: &str = "kubectl.kubernetes.io/next-controller-id";
/// The annotation of the old controller with its original size.
const ORIGINAL: &str = "kubectl.kubernetes.io/original-replicas";
/// The annotation of the new controller with its final size.
const DESIRED: &str = "kubectl.kubernetes.io/desired-replicas";
/// The annotation of the new controller with the name and uid of the one that it replaces.
const SOURCE: &str = "kubectl.kubernetes.io/update-source-id";

/// Checks the command line, without a cluster.
pub fn check(args: &RollingUpdateArgs) -> Result<(), Failure> {
    line_error("Command \"rolling-update\" is deprecated, use \"rollout\" instead");
    let help = |text: &str| format!("{text}\nSee 'ctl rolling-update -h' for help and examples");
    let mut problems = Vec::new();
    let (image, file) = (!args.image.is_empty(), !args.filename.is_empty());
    if args.deployment_label_key.is_empty() {
        problems.push("--deployment-label-key can not be empty");
    }
    if args.filename.len() > 1 {
        problems.push("May only specify a single filename for new controller");
    }
    if !args.rollback {
        match (image, file) {
            (false, false) => problems.push("Must specify --filename or --image for new controller"),
            (true, true) => problems.push("--filename and --image can not both be specified"),
            _ => {}
        }
    } else if image || file {
        problems.push("Don't specify --filename or --image on rollback");
    }
    if args.names.is_empty() {
        problems.push("Must specify the controller to update");
    }
    match problems.as_slice() {
        [] => Ok(()),
        // kubectl: a single error starts with `error:`, several do not.
        [one] => Err(Failure::plain(format!("error: {}", help(one)))),
        many => Err(Failure::plain(many.iter().map(|problem| help(problem)).collect::<Vec<String>>().join("\n"))),
    }
}

/// Starts, continues or rolls back an update.
pub async fn run(context: &Context, args: RollingUpdateArgs) -> Result<(), Failure> {
    let format = Format::parse(args.output.as_deref())?;
    let mut steps = Steps::new(args.stop_after.as_deref());
    let controllers = Controllers::new(context);
    let old_name = args.names.first().cloned().unwrap_or_default();
    // A file names the new controller; an image does not.
    let keep_name = args.names.len() == 1 && args.filename.is_empty();
    let old = match controllers.get(&old_name).await {
        Ok(old) => old,
        Err(error) if error.is(Reason::NotFound) && !args.image.is_empty() && keep_name => {
            return finish::resume_rename(&controllers, &old_name, &mut steps).await;
        }
        Err(error) => return Err(error.into()),
    };
    let prepared = prologue::prepare(&controllers, context, &args, old, &mut steps).await?;
    check_pair(&args, &prepared.old, &prepared.new)?;
    if args.dry_run {
        return dry_run(&prepared.old, &prepared.new, &format);
    }
    let name = prepared.new.metadata.name.clone();
    let cleanup = if keep_name && !args.rollback { Cleanup::Rename } else { Cleanup::Delete };
    let update = Update {
        controllers: &controllers,
        update_period: args.update_period,
        poll_interval: args.poll_interval,
        cleanup,
    };
    if args.rollback {
        let (old, new) = update::turned_round(prepared.old, prepared.new)?;
        // kubectl tried this once and ignored the result: a conflict made the rollback fail in its next step.
        let marks = new.metadata.annotations.clone();
        let new = controllers.change(new, |controller| controller.metadata.annotations.extend(marks.clone())).await?;
        steps.passed("turned");
        update.run(old, new, &mut steps).await?;
    } else {
        update.run(prepared.old, prepared.new, &mut steps).await?;
    }
    match keep_name {
        true => tell(&controllers, &old_name, "", &format).await,
        false => tell(&controllers, &name, &format!(" to {name:?}"), &format).await,
    }
}

/// Checks that the selectors differ in a label that both have, or each controller would take the other's pods.
fn check_pair(
    args: &RollingUpdateArgs,
    old: &ReplicationController,
    new: &ReplicationController,
) -> Result<(), Failure> {
    let file = args.filename.first().map(|file| file.display().to_string()).unwrap_or_default();
    let old_name = &old.metadata.name;
    if *old_name == new.metadata.name {
        return Err(Failure::error(format!(
            "{file} cannot have the same name as the existing ReplicationController {old_name}"
        )));
    }
    let differs =
        old.spec.selector.iter().any(|(key, value)| new.spec.selector.get(key).is_some_and(|other| other != value));
    if !differs {
        return Err(Failure::error(format!(
            "{file} must specify a matching key with non-equal value in Selector for {old_name}"
        )));
    }
    Ok(())
}

fn dry_run(old: &ReplicationController, new: &ReplicationController, format: &Format) -> Result<(), Failure> {
    for (word, controller) in [("Rolling from:", old), ("To:", new)] {
        line(word);
        if format.is_table() {
            line(&controller.metadata.name);
        } else {
            print_objects(&[controller.clone().into()], Shown { single: true, ..Shown::default() }, format)?;
        }
    }
    Ok(())
}

/// Shows the controller that is left, or says its new name.
async fn tell(controllers: &Controllers, name: &str, to: &str, format: &Format) -> Result<(), Failure> {
    // After a rollback, this controller has just been deleted.
    let controller = match controllers.get(name).await {
        Ok(controller) => Some(controller),
        Err(error) if error.is_not_found() => None,
        Err(error) => return Err(error.into()),
    };
    match controller {
        Some(controller) if !format.is_table() => {
            print_objects(&[controller.into()], Shown { single: true, ..Shown::default() }, format)
        }
        _ => {
            line(&format!("replicationcontroller/{name} rolling updated{to}"));
            Ok(())
        }
    }
}
