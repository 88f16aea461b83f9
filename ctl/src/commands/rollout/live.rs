//! A rollout on a terminal: a bar for each ReplicaSet that has pods, redrawn at each change.

use std::collections::BTreeMap;
use std::time::Instant;

use squall_api::apps::v1::{Deployment, ReplicaSet};

use super::status::number_of;
use crate::output::Live;

/// Maximum width of a bar.
const WIDTH: i32 = 30;

/// The live view of a rollout.
pub struct View {
    live: Live,
    begun: Instant,
    deployment: Deployment,
    /// By revision.
    sets: BTreeMap<i64, ReplicaSet>,
    said: String,
}

impl View {
    /// Creates a view, without drawing it yet.
    pub fn new(deployment: &Deployment) -> Self {
        Self {
            live: Live::new(),
            begun: Instant::now(),
            deployment: deployment.clone(),
            sets: BTreeMap::new(),
            said: String::new(),
        }
    }

    /// Updates the Deployment.
    pub fn take(&mut self, deployment: &Deployment) {
        self.deployment = deployment.clone();
    }

    /// Updates a ReplicaSet, if the Deployment owns it.
    pub fn note(&mut self, set: ReplicaSet) {
        if let Some(number) = number_of(&set, &self.deployment) {
            self.sets.retain(|_, known| known.metadata.uid != set.metadata.uid);
            self.sets.insert(number, set);
        }
    }

    /// Sets the text of the last line.
    pub fn say(&mut self, text: &str) {
        text.clone_into(&mut self.said);
    }

    /// Draws the current state.
    pub fn show(&mut self) {
        let desired = self.deployment.spec.replicas.unwrap_or(1).max(1);
        let mut lines = vec![format!("deployment.apps/{}", self.deployment.metadata.name)];
        let alive = |set: &&ReplicaSet| set.status.replicas > 0 || set.spec.replicas.unwrap_or(1) > 0;
        lines.extend(
            self.sets.iter().rev().filter(|(_, set)| alive(set)).map(|(number, set)| bar(*number, set, desired)),
        );
        lines.push(self.said.clone());
        self.live.show(&format!("{:>6.1}s", self.begun.elapsed().as_secs_f64()), &self.said, &lines);
    }

    /// Stops drawing, and leaves the last state on the screen.
    pub fn end(&mut self) {
        self.live = Live::new();
    }
}

/// `#2  ████▒▒░░  3 of 3, 2 available  luksa/kubia:v2`.
fn bar(number: i64, set: &ReplicaSet, desired: i32) -> String {
    let status = &set.status;
    let width = i64::from(WIDTH).min(i64::from(desired) * 5);
    let cells = |count: i32| usize::try_from((i64::from(count) * width).div_euclid(i64::from(desired))).unwrap_or(0);
    let (available, ready, all) = (status.available_replicas, status.ready_replicas, status.replicas);
    let filled = format!(
        "{}{}{}",
        "█".repeat(cells(available)),
        "▒".repeat(cells(ready).saturating_sub(cells(available))),
        "░".repeat(cells(all).saturating_sub(cells(ready.max(available))))
    );
    let images: Vec<&str> =
        set.spec.template.spec.containers.iter().map(|container| container.image.as_str()).collect();
    let wanted = set.spec.replicas.unwrap_or(1);
    format!("#{number:<3} {filled:<36} {all} of {wanted}, {available} available  {}", images.join(","))
}
