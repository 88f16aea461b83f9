//! After the last pod has moved: deletes the old controller, and may give its name to the new one.

use std::time::Duration;

use squall_api::core::v1::ReplicationController;
use tokio::time::Instant;

use super::controllers::{Controllers, without_server_fields};
use super::steps::Steps;
use super::update::TIMEOUT;
use super::{DESIRED, SOURCE};
use crate::failure::Failure;
use crate::output::line;

/// How often to check that a renamed controller is gone, and for how long.
const RENAME_POLL: Duration = Duration::from_secs(5);
const RENAME_PATIENCE: Duration = Duration::from_secs(60);

/// The fate of the old controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cleanup {
    /// Delete it.
    Delete,
    /// Delete it, and give its name to the new one.
    Rename,
}

/// Removes the annotations of the update from the new controller, and deletes the old one.
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

/// Waits until the controller has observed the last change and has the right number of pods.
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

/// Renames a controller. Kubernetes cannot do that: deletes it without its pods, and creates one that adopts them.
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

/// Resumes an update that keeps the name and died between deleting the old controller and renaming the new one.
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
