//! Changes one object: reads it, changes it, and writes it with the version that was read. Retries after a conflict.

use squall_api::error::Reason;
use squall_api::{Kind, Object};
use squall_client::{ResourceRef, WriteOptions, manifest};

use crate::cli::DryRun;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::warnings;
use crate::selection;

/// The fate of a value that the object already has, where the user wants another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// The command fails.
    Kept,
    /// The new value takes its place.
    Replaced,
}

impl Existing {
    /// Reads the flag `--overwrite`.
    pub const fn of(overwrite: bool) -> Self {
        if overwrite { Self::Replaced } else { Self::Kept }
    }
}

/// Number of attempts before a conflict is reported.
pub const ATTEMPTS: usize = 5;

/// The options of a write. With `--dry-run=client` they ask for a server dry run, in case a command sends the write
/// after all.
pub fn write_options(dry_run: DryRun, field_manager: Option<&str>) -> WriteOptions {
    WriteOptions {
        dry_run: dry_run != DryRun::None,
        field_manager: field_manager.unwrap_or_default().to_owned(),
        ..WriteOptions::default()
    }
}

/// Returns the object after the change, or `None` if the change has no effect. With `--dry-run=client`, computes it
/// without writing to the server.
pub async fn modify(
    context: &Context,
    resource: &ResourceRef,
    (dry_run, field_manager): (DryRun, Option<&str>),
    mut change: impl FnMut(&mut Object) -> Result<(), Failure>,
) -> Result<Option<Object>, Failure> {
    for attempt in 1.. {
        let before = selection::get(&context.client, resource.kind, &resource.namespace, &resource.name).await?;
        let mut after = before.clone();
        change(&mut after)?;
        if after == before {
            return Ok(None);
        }
        if dry_run == DryRun::Client {
            return Ok(Some(after));
        }
        let options = write_options(dry_run, field_manager);
        match context.client.update(resource, manifest(&after), options).await {
            Ok(reply) => {
                warnings(&reply.warnings);
                return Ok(Some(reply.object()?));
            }
            Err(error) if error.is(Reason::Conflict) && attempt < ATTEMPTS => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(None)
}

/// The pod template of an object, if its kind has one.
pub fn pod_template(object: &mut Object) -> Option<&mut squall_api::core::v1::PodTemplateSpec> {
    match object {
        Object::Deployment(deployment) => Some(&mut deployment.spec.template),
        Object::ReplicaSet(set) => Some(&mut set.spec.template),
        Object::ReplicationController(controller) => controller.spec.template.as_mut(),
        _ => None,
    }
}

/// Whether the kind keeps revisions of its pod template.
pub const fn has_revisions(kind: Kind) -> bool {
    matches!(kind, Kind::Deployment)
}
