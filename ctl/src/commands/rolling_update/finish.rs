//! After the last pod has moved: the old controller goes, and with one name the new one takes its name.

use std::time::Duration;

use squall_api::core::v1::ReplicationController;
use tokio::time::Instant;

use super::controllers::{Controllers, without_server_fields};
use super::steps::Steps;
use super::update::TIMEOUT;
use super::{DESIRED, SOURCE};
use crate::failure::Failure;
use crate::output::line;

/// How often it is looked whether a controller that was renamed is gone, and for how long.
const RENAME_POLL: Duration = Duration::from_secs(5);
const RENAME_PATIENCE: Duration = Duration::from_secs(60);

/// What becomes of the old controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cleanup {
    /// It is deleted.
    Delete,
    /// It is deleted, and the new one gets its name.
    Rename,
}

/// Takes the marks of the update off the new controller, and deletes the old one.
pub async fn clean_up(
    controllers: &Controllers,
    old: &str,
    new: &str,
    cleanup: Cleanup,
    poll_interval: Duration,
    steps: &mut Steps,
) -> Result<(), Failure> {
    let current = controllers.get(new).await?;
    let plain = controllers
        .change(current, |controller| {
            controller.metadata.annotations.remove(SOURCE);
            controller.metadata.annotations.remove(DESIRED);
        })
        .await?;
    steps.passed("unmarked");
    wait_for_size(controllers, &plain, poll_interval).await?;
    let renamed = controllers.get(new).await?;
    match cleanup {
        Cleanup::Delete => {
            line(&format!("Update succeeded. Deleting {old}"));
            controllers.delete(old).await?;
            steps.passed("deleted");
            Ok(())
        }
        Cleanup::Rename => {
            line(&format!("Update succeeded. Deleting old controller: {old}"));
            controllers.delete(old).await?;
            steps.passed("deleted");
            line(&format!("Renaming {new} to {old}"));
            rename(controllers, renamed, old, steps).await
        }
    }
}

/// Until the controller has seen the last change and has as many pods as it should.
async fn wait_for_size(
    controllers: &Controllers,
    controller: &ReplicationController,
    poll_interval: Duration,
) -> Result<(), Failure> {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        tokio::time::sleep(poll_interval).await;
        let current = controllers.get(&controller.metadata.name).await?;
        let seen = current.status.observed_generation >= controller.metadata.generation;
        if seen && Some(current.status.replicas) == current.spec.replicas {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(Failure::error("timed out waiting for the condition"));
        }
    }
}

/// Kubernetes cannot rename: it is deleted, without its pods, and made anew under the other name, where it finds them.
async fn rename(
    controllers: &Controllers,
    controller: ReplicationController,
    name: &str,
    steps: &mut Steps,
) -> Result<(), Failure> {
    let temporary = controller.metadata.name.clone();
    controllers.delete(&temporary).await?;
    steps.passed("unnamed");
    let deadline = Instant::now() + RENAME_PATIENCE;
    loop {
        tokio::time::sleep(RENAME_POLL).await;
        if controllers.find(&temporary).await?.is_none() && controllers.find(name).await?.is_none() {
            break;
        }
        if Instant::now() > deadline {
            return Err(Failure::error("timed out waiting for the condition"));
        }
    }
    let mut renamed = controller;
    without_server_fields(&mut renamed.metadata);
    name.clone_into(&mut renamed.metadata.name);
    controllers.create(renamed).await?;
    steps.passed("renamed");
    Ok(())
}

/// An update that keeps the name died between deleting the old controller and renaming the new one: that is still to do.
pub async fn resume_rename(controllers: &Controllers, old: &str, steps: &mut Steps) -> Result<(), Failure> {
    let all = controllers.list().await?;
    let from = |controller: &ReplicationController| {
        controller.metadata.annotations.get(SOURCE).is_some_and(|source| source.starts_with(old))
    };
    let found = all.into_iter().find(from);
    let found = found.ok_or_else(|| {
        let namespace = controllers.namespace();
        Failure::error(format!("couldn't find a replication controller with source id == {namespace}/{old}"))
    })?;
    rename(controllers, found, old, steps).await
}
