//! The update loop: scales the new controller up and the old one down, step by step, until all pods have moved.

use std::time::Duration;

use squall_api::core::v1::ReplicationController;
use squall_api::error::Reason;
use squall_api::kinds::is_pod_ready;
use tokio::time::Instant;

use super::arithmetic::{Bounds, Sizes};
use super::controllers::Controllers;
use super::finish::{self, Cleanup};
use super::steps::Steps;
use super::{DESIRED, ORIGINAL, SOURCE};
use crate::failure::Failure;
use crate::output::line;

/// An update times out after this long without progress. kubectl had a flag for it, and ignored it.
pub const TIMEOUT: Duration = Duration::from_secs(300);

/// The parameters of an update.
pub struct Update<'a> {
    pub controllers: &'a Controllers,
    pub update_period: Duration,
    pub poll_interval: Duration,
    pub cleanup: Cleanup,
}

/// Swaps old and new, for a rollback. The target is the original size of the old controller.
pub fn turned_round(
    old: ReplicationController,
    new: ReplicationController,
) -> Result<(ReplicationController, ReplicationController), Failure> {
    let (mut target, source) = (old, new);
    let name = target.metadata.name.clone();
    let annotations = &mut target.metadata.annotations;
    annotations.insert(SOURCE.to_owned(), format!("{}:{}", source.metadata.name, source.metadata.uid));
    let original = annotations.get(ORIGINAL).cloned();
    let original =
        original.ok_or_else(|| Failure::error(format!("couldn't find original replica count of {name:?}")))?;
    line(&format!("Setting {name:?} replicas to {original}"));
    annotations.insert(DESIRED.to_owned(), original);
    Ok((source, target))
}

impl Update<'_> {
    /// Moves all pods from the old controller to the new one, and cleans up.
    pub async fn run(
        &self,
        old: ReplicationController,
        new: ReplicationController,
        steps: &mut Steps,
    ) -> Result<(), Failure> {
        let new = self.target(new, &old, steps).await?;
        let desired = desired(&new)?;
        let old = self.note_original(old, steps).await?;
        let bounds = Bounds::of(desired);
        let (old_name, new_name) = (old.metadata.name.as_str(), new.metadata.name.as_str());
        let mut sizes = Sizes { old: size(&old), new: size(&new) };
        line(&format!(
            "Scaling up {new_name} from {} to {desired}, scaling down {old_name} from {} to 0 (keep {} pods available, don't exceed {} pods)",
            sizes.new, sizes.old, bounds.min_available, bounds.max_total
        ));
        let mut deadline = Instant::now() + TIMEOUT;
        while !bounds.is_reached(sizes) {
            let before = sizes;
            if let Some(replicas) = bounds.scale_up(sizes) {
                line(&format!("Scaling {new_name} up to {replicas}"));
                sizes.new = self.scale(new_name, replicas, "scale-up", steps).await?;
            }
            tokio::time::sleep(self.update_period).await;
            if sizes.old > 0 {
                let available = self.available(&old, &new).await?;
                if let Some(replicas) = bounds.scale_down(sizes, available) {
                    line(&format!("Scaling {old_name} down to {replicas}"));
                    sizes.old = self.scale(old_name, replicas, "scale-down", steps).await?;
                }
            }
            if sizes != before {
                deadline = Instant::now() + TIMEOUT;
            } else if Instant::now() > deadline {
                return Err(Failure::error("timed out waiting for any update progress to be made"));
            }
        }
        finish::clean_up(self.controllers, old_name, new_name, self.cleanup, self.poll_interval, steps).await
    }

    /// Returns the new controller as it is stored: an existing one, or one just created without pods.
    async fn target(
        &self,
        new: ReplicationController,
        old: &ReplicationController,
        steps: &mut Steps,
    ) -> Result<ReplicationController, Failure> {
        let source = format!("{}:{}", old.metadata.name, old.metadata.uid);
        if let Some(existing) = self.controllers.find(&new.metadata.name).await? {
            let annotations = &existing.metadata.annotations;
            if annotations.get(SOURCE) != Some(&source) || !annotations.contains_key(DESIRED) {
                return Err(Failure::error(format!(
                    "Missing/unexpected annotations for controller {}, expected {source} : {}",
                    existing.metadata.name,
                    annotations.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<String>>().join(",")
                )));
            }
            line(&format!("Continuing update with existing controller {}.", existing.metadata.name));
            return Ok(existing);
        }
        let desired = new.spec.replicas.unwrap_or(0);
        if desired <= 0 {
            let name = &new.metadata.name;
            return Err(Failure::error(format!(
                "Invalid controller spec for {name}; required: > 0 replicas, actual: {desired}"
            )));
        }
        let mut new = new;
        new.metadata.annotations.insert(DESIRED.to_owned(), desired.to_string());
        new.metadata.annotations.insert(SOURCE.to_owned(), source);
        new.spec.replicas = Some(0);
        let created = self.controllers.create(new).await?;
        line(&format!("Created {}", created.metadata.name));
        steps.passed("created");
        Ok(created)
    }

    /// Records the size of the old controller, for a rollback.
    async fn note_original(
        &self,
        old: ReplicationController,
        steps: &mut Steps,
    ) -> Result<ReplicationController, Failure> {
        if old.metadata.annotations.contains_key(ORIGINAL) {
            return Ok(old);
        }
        let current = self.controllers.get(&old.metadata.name).await?;
        let original = size(&current).to_string();
        let noted = self
            .controllers
            .change(current, |controller| {
                controller.metadata.annotations.insert(ORIGINAL.to_owned(), original.clone());
            })
            .await?;
        steps.passed("original");
        Ok(noted)
    }

    /// Sets a size and waits until it is reached, or until somebody else sets another one. Returns the size set then.
    async fn scale(&self, name: &str, replicas: i32, step: &str, steps: &mut Steps) -> Result<i32, Failure> {
        let deadline = Instant::now() + TIMEOUT;
        let late = || Failure::error(format!("timed out waiting for {name:?} to be synced"));
        loop {
            match self.controllers.resize(name, replicas).await {
                Ok(()) => break,
                Err(error) if error.is(Reason::Conflict) && Instant::now() < deadline => {
                    tokio::time::sleep(self.poll_interval).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
        steps.passed(step);
        loop {
            let (wanted, have) = self.controllers.sizes(name).await?;
            if wanted != replicas || have == replicas {
                break;
            }
            if Instant::now() > deadline {
                return Err(late());
            }
            tokio::time::sleep(self.poll_interval).await;
        }
        Ok(size(&self.controllers.get(name).await?))
    }

    /// The number of new pods that are ready. kubectl also counts the old ones, and ignores that number.
    async fn available(&self, old: &ReplicationController, new: &ReplicationController) -> Result<i32, Failure> {
        self.controllers.pods_of(old).await?;
        let pods = self.controllers.pods_of(new).await?;
        let serving = pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none() && is_pod_ready(pod)).count();
        Ok(i32::try_from(serving).unwrap_or(i32::MAX))
    }
}

fn size(controller: &ReplicationController) -> i32 {
    controller.spec.replicas.unwrap_or(0)
}

fn desired(new: &ReplicationController) -> Result<i32, Failure> {
    let text = new.metadata.annotations.get(DESIRED).map_or("", String::as_str);
    text.parse()
        .map_err(|_| Failure::error(format!("Unable to parse annotation for {}: {DESIRED}={text}", new.metadata.name)))
}
