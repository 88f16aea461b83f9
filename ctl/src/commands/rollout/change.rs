//! `ctl rollout pause`, `resume` and `restart`.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use squall_api::Object;
use squall_client::ResourceRef;

use super::deployments;
use crate::cli::RolloutChangeArgs;
use crate::commands::record::{Cause, note, record_cause, warn_of_record};
use crate::context::Context;
use crate::failure::Failure;
use crate::modify::modify;
use crate::output::Changes;

/// The annotation with the time of the last restart, which changes the template.
const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";

/// A change to a rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RolloutChange {
    Pause,
    Resume,
    Restart,
}

impl RolloutChange {
    const fn done(self) -> &'static str {
        match self {
            Self::Pause => "paused",
            Self::Resume => "resumed",
            Self::Restart => "restarted",
        }
    }

    const fn doing(self) -> &'static str {
        match self {
            Self::Pause => "pausing",
            Self::Resume => "resuming",
            Self::Restart => "restarting",
        }
    }
}

/// Changes each Deployment.
pub async fn run(context: &Context, change: RolloutChange, args: RolloutChangeArgs) -> Result<(), Failure> {
    warn_of_record(Cause::of(args.change.record));
    let changes = Changes::of(&args.change)?;
    let unsupported = |resource: &ResourceRef| {
        Failure::error(format!(
            "{} {:?} {} is not supported",
            resource.kind.info().plural_group(),
            resource.name,
            change.doing()
        ))
    };
    let mut failures = Vec::new();
    for resource in deployments(context, &args.targets, unsupported).await? {
        let how = (changes.dry_run, args.change.field_manager.as_deref());
        match modify(context, &resource, how, |object| apply(object, change, Cause::of(args.change.record))).await {
            Ok(Some(object)) => changes.tell(&object, change.done())?,
            Ok(None) => {
                failures.push(Failure::error(format!("failed to create patch for {}: no changes", resource.name)));
            }
            Err(failure) => failures.push(failure),
        }
    }
    Failure::all(failures)
}

fn apply(object: &mut Object, change: RolloutChange, cause: Cause) -> Result<(), Failure> {
    let Object::Deployment(deployment) = object else { return Ok(()) };
    let named = format!("deployments.apps {:?}", deployment.metadata.name);
    let paused = deployment.spec.paused;
    match (change, paused) {
        (RolloutChange::Pause, true) => return Err(Failure::error(format!("{named} is already paused"))),
        (RolloutChange::Resume, false) => return Err(Failure::error(format!("{named} is not paused"))),
        (RolloutChange::Restart, true) => {
            return Err(Failure::error(format!("{named} can't restart paused deployment (run rollout resume first)")));
        }
        (RolloutChange::Pause, false) | (RolloutChange::Resume, true) => {
            deployment.spec.paused = !paused;
            record_cause(object, cause);
        }
        (RolloutChange::Restart, false) => {
            let now = Timestamp::now()
                .to_zoned_datetime(TimeZone::system())
                .strftime("%Y-%m-%dT%H:%M:%S%:z")
                .to_string()
                .replace("+00:00", "Z");
            let annotations = &mut deployment.spec.template.metadata.annotations;
            if annotations.insert(RESTARTED_AT.to_owned(), now.clone()) == Some(now) {
                return Err(Failure::error(format!(
                    "failed to create patch for {}: if restart has already been triggered within the past second, please wait before \
                     attempting to trigger another",
                    deployment.metadata.name
                )));
            }
            note(object, cause);
        }
    }
    Ok(())
}
