//! Plans the next actions for a Deployment: the decisions in order, with one scaling step at a time.

use std::cmp::Reverse;
use std::sync::Arc;

use jiff::Timestamp;
use squall_api::apps::v1::{Deployment, DeploymentStatus, ReplicaSet};
use squall_api::counts::total;
use squall_api::happening::{EventType, Happening, ObjectId};
use squall_api::labels::Selector;
use squall_api::revision::{DESIRED, MAX_REPLICAS, REVISION, find_new};
use squall_daemon::Timing;
use squall_faults::mutants::Mutant;

use super::proportional::{self, Part};
use super::rolling::{self, Limits, Sizes};
use super::{Observed, history, revision, status};
use crate::runtime::ownership::{Claim, claim, settle};
use crate::runtime::{Action, Plan};

/// Decides what to do for a Deployment.
pub fn plan(observed: &Observed, timing: &Timing, now: Timestamp) -> Plan {
    let deployment = observed.deployment.as_ref();
    let Some(selector) =
        Selector::from_label_selector(deployment.spec.selector.as_ref()).filter(|s| !s.is_everything())
    else {
        return selecting_all(deployment);
    };
    let claims: Vec<Claim> =
        observed.replica_sets.iter().map(|set| claim(&deployment.metadata, &selector, &set.metadata)).collect();
    let settling: Vec<Action> = claims
        .iter()
        .zip(&observed.replica_sets)
        .filter_map(|(claim, set)| settle(*claim, deployment, set.as_ref()))
        .collect();
    if !settling.is_empty() {
        return Plan::of(settling);
    }
    let kept = |(claim, set): (&Claim, &Arc<ReplicaSet>)| (*claim == Claim::Keep).then(|| set.clone());
    let mut owned: Vec<Arc<ReplicaSet>> = claims.iter().zip(&observed.replica_sets).filter_map(kept).collect();
    let unseen = deployment.status.observed_generation < deployment.metadata.generation;
    let forgotten = unseen && Mutant::TrustStatus.is_on();
    let new = find_new(deployment, &mut owned).filter(|_| !forgotten);
    let step = Reconciliation { observed, deployment, limits: Limits::of(deployment), timing, now, owned, new };
    step.plan()
}

/// As in Kubernetes, a Deployment that selects everything only gets a warning and its observed generation.
fn selecting_all(deployment: &Deployment) -> Plan {
    let message = "This deployment is selecting all pods. A non-empty selector is required.".to_owned();
    let mut actions = vec![tell(deployment, EventType::Warning, "SelectingAll", message)];
    if deployment.status.observed_generation < deployment.metadata.generation {
        let mut changed = deployment.clone();
        changed.status.observed_generation = deployment.metadata.generation;
        actions.push(Action::UpdateStatus(Box::new(changed.into())));
    }
    Plan::of(actions)
}

fn tell(deployment: &Deployment, event_type: EventType, reason: &'static str, message: String) -> Action {
    Action::Tell(Happening { object: ObjectId::of(deployment), event_type, reason, message })
}

/// One reconciliation of a Deployment.
struct Reconciliation<'a> {
    observed: &'a Observed,
    deployment: &'a Deployment,
    limits: Limits,
    timing: &'a Timing,
    now: Timestamp,
    /// Oldest first.
    owned: Vec<Arc<ReplicaSet>>,
    /// Index of the new one in `owned`.
    new: Option<usize>,
}

impl Reconciliation<'_> {
    fn plan(&self) -> Plan {
        let deployment = self.deployment;
        if deployment.metadata.deletion_timestamp.is_some() {
            return self.finish(Vec::new(), &self.owned, self.new, Estimate::No);
        }
        let mut noted = deployment.status.clone();
        if status::note_pause(deployment, &mut noted, self.now) {
            return Plan::of(vec![self.store(noted, None)]);
        }
        if let Some(set) = self.new_set()
            && let Some(synced) = revision::synced(deployment, set, revision::next_revision(self.old_sets()))
        {
            return Plan::of(vec![Action::Update(Box::new(synced.into()))]);
        }
        let recreates = deployment.spec.strategy.r#type == "Recreate";
        if deployment.spec.paused || self.is_scaling_event() && !(recreates && self.active().len() > 1) {
            return self.scale_only();
        }
        if recreates { self.recreate() } else { self.roll() }
    }

    fn new_set(&self) -> Option<&ReplicaSet> {
        self.new.map(|place| self.owned[place].as_ref())
    }

    /// Oldest first.
    fn old_sets(&self) -> impl Iterator<Item = &ReplicaSet> {
        self.owned.iter().enumerate().filter(|(place, _)| Some(*place) != self.new).map(|(_, set)| set.as_ref())
    }

    /// Returns the indexes of the ReplicaSets whose requested size is not 0, oldest first.
    fn active(&self) -> Vec<usize> {
        (0..self.owned.len()).filter(|place| size(&self.owned[*place]) > 0).collect()
    }

    /// Whether the number of replicas has changed while a ReplicaSet is active.
    fn is_scaling_event(&self) -> bool {
        let noted = |set: &ReplicaSet| set.metadata.annotations.get(DESIRED).and_then(|text| text.parse::<i32>().ok());
        self.owned.iter().any(|set| size(set) > 0 && noted(set).is_some_and(|desired| desired != self.limits.desired))
    }

    fn roll(&self) -> Plan {
        let mut actions = Vec::new();
        let mut sets = self.owned.clone();
        let new = match self.with_new(&mut sets, &mut actions, |total| rolling::new_size(&self.limits, 0, total)) {
            Ok(place) => place,
            Err(plan) => return plan,
        };
        let total = total(sets.iter().map(|set| size(set)));
        let wanted = rolling::new_size(&self.limits, size(&sets[new]), total);
        if self.resize(&mut sets[new], wanted, &mut actions) {
            return self.finish(actions, &sets, Some(new), Estimate::Yes);
        }
        let old: Vec<usize> = (0..sets.len()).filter(|place| *place != new && size(&sets[*place]) > 0).collect();
        let sizes: Vec<Sizes> = old.iter().map(|place| sizes_of(&sets[*place])).collect();
        let wanted = match Mutant::NoFloor.is_on() {
            true => vec![0; sizes.len()],
            false => rolling::old_sizes(&self.limits, sizes_of(&sets[new]), &sizes),
        };
        for (place, wanted) in old.into_iter().zip(wanted) {
            self.resize(&mut sets[place], wanted, &mut actions);
        }
        self.finish(actions, &sets, Some(new), Estimate::Yes)
    }

    fn recreate(&self) -> Plan {
        let mut actions = Vec::new();
        let mut sets = self.owned.clone();
        let old: Vec<usize> = (0..sets.len()).filter(|place| Some(*place) != self.new).collect();
        for place in &old {
            self.resize(&mut sets[*place], 0, &mut actions);
        }
        let pods_left = |place: &usize| {
            let uid = &sets[*place].metadata.uid;
            let seen = self.observed.replica_sets.iter().position(|set| set.metadata.uid == *uid);
            sets[*place].status.replicas > 0 || seen.is_some_and(|seen| self.observed.pods[seen] > 0)
        };
        if !actions.is_empty() || old.iter().any(pods_left) {
            return self.finish(actions, &sets, self.new, Estimate::Yes);
        }
        match self.with_new(&mut sets, &mut actions, |_| self.limits.desired) {
            Err(plan) => plan,
            Ok(new) => {
                self.resize(&mut sets[new], self.limits.desired, &mut actions);
                self.finish(actions, &sets, Some(new), Estimate::Yes)
            }
        }
    }

    /// Returns the index of the new ReplicaSet. If there is none, plans to create it with its first replicas. If its
    /// name is taken, plans to count a collision instead, so that the next hash differs.
    fn with_new(
        &self,
        sets: &mut Vec<Arc<ReplicaSet>>,
        actions: &mut Vec<Action>,
        replicas: impl Fn(i32) -> i32,
    ) -> Result<usize, Plan> {
        if let Some(place) = self.new {
            return Ok(place);
        }
        let name = revision::name_of_new(self.deployment);
        let mine = |set: &Arc<ReplicaSet>| set.metadata.name == name;
        if self.observed.taken_names.contains(&name) || sets.iter().any(mine) {
            let mut status = self.deployment.status.clone();
            status.collision_count = Some(status.collision_count.unwrap_or(0).saturating_add(1));
            return Err(Plan::of(vec![self.store(status, None)]));
        }
        actions.extend(self.creation_failed(&name));
        let replicas = replicas(total(sets.iter().map(|set| size(set))));
        let number = revision::next_revision(sets.iter().map(Arc::as_ref));
        let set = revision::new_replica_set(self.deployment, number, replicas, self.limits.max_total());
        actions.push(Action::Create(Box::new(set.clone().into())));
        if replicas > 0 {
            let message = format!("Scaled up replica set {name} from 0 to {replicas}");
            actions.push(tell(self.deployment, EventType::Normal, "ScalingReplicaSet", message));
        }
        let place = sets.len();
        sets.push(Arc::new(set));
        Ok(place)
    }

    /// Reports that the last attempt to create the new ReplicaSet failed. It is retried all the same.
    fn creation_failed(&self, name: &str) -> Vec<Action> {
        const REASON: &str = "ReplicaSetCreateError";
        let Some(failure) = &self.observed.failure else { return Vec::new() };
        let message = format!("Failed to create new replica set {name:?}: {failure}");
        let mut actions = vec![tell(self.deployment, EventType::Warning, REASON, message.clone())];
        let mut noted = self.deployment.status.clone();
        if status::has_deadline(self.deployment) {
            status::set_progressing(&mut noted, "False", REASON, message, self.now);
        }
        if noted != self.deployment.status {
            actions.push(self.store(noted, None));
        }
        actions
    }

    /// Plans a size for a ReplicaSet, and notes the totals it was decided for. Returns true if the size changes.
    fn resize(&self, set: &mut Arc<ReplicaSet>, wanted: i32, actions: &mut Vec<Action>) -> bool {
        let before = size(set);
        if before == wanted {
            return false;
        }
        self.note_sizes(set, wanted, actions);
        let direction = if wanted > before { "up" } else { "down" };
        let message = format!("Scaled {direction} replica set {} from {before} to {wanted}", set.metadata.name);
        actions.push(tell(self.deployment, EventType::Normal, "ScalingReplicaSet", message));
        true
    }

    fn note_sizes(&self, set: &mut Arc<ReplicaSet>, wanted: i32, actions: &mut Vec<Action>) {
        let mut changed = set.as_ref().clone();
        changed.spec.replicas = Some(wanted);
        revision::set_sizes(&mut changed.metadata.annotations, self.limits.desired, self.limits.max_total());
        if changed != **set {
            actions.push(Action::Update(Box::new(changed.clone().into())));
            *set = Arc::new(changed);
        }
    }

    /// Plans a size for a ReplicaSet as `resize` does, but updates the noted totals even if the size stays. With one
    /// active ReplicaSet, Kubernetes leaves the old note and takes it for a scaling event for ever (kubernetes 102551).
    fn resize_and_note(&self, set: &mut Arc<ReplicaSet>, wanted: i32, actions: &mut Vec<Action>) {
        if !self.resize(set, wanted, actions) {
            self.note_sizes(set, wanted, actions);
        }
    }

    /// Handles a Deployment that is paused or being scaled: nothing rolls out, but sizes are adjusted.
    fn scale_only(&self) -> Plan {
        let mut actions = Vec::new();
        let mut sets = self.owned.clone();
        let mut active = self.active();
        let saturated = self.new_set().is_some_and(|set| {
            let desired = self.limits.desired;
            size(set) == desired && set.status.available_replicas == desired
        });
        match active.as_slice() {
            [] => {
                if let Some(place) = self.new.or(sets.len().checked_sub(1)) {
                    self.resize(&mut sets[place], self.limits.desired, &mut actions);
                }
            }
            [only] => {
                let only = *only;
                self.resize_and_note(&mut sets[only], self.limits.desired, &mut actions);
            }
            _ if saturated => {
                for place in active.into_iter().filter(|place| Some(*place) != self.new) {
                    self.resize(&mut sets[place], 0, &mut actions);
                }
            }
            _ if self.deployment.spec.strategy.r#type == "RollingUpdate" => {
                self.scale_in_proportion(&mut sets, &mut active, &mut actions);
            }
            _ => {}
        }
        if self.deployment.spec.paused {
            actions.extend(history::forget(self.deployment, &self.old_sets().collect::<Vec<_>>()));
        }
        self.finish(actions, &sets, self.new, Estimate::No)
    }

    fn scale_in_proportion(&self, sets: &mut [Arc<ReplicaSet>], active: &mut [usize], actions: &mut Vec<Action>) {
        let allowed = if self.limits.desired > 0 { self.limits.max_total() } else { 0 };
        let total = total(active.iter().map(|place| size(&sets[*place])));
        // Largest first; among equals, the newer grows first and the older shrinks first.
        active.sort_by_key(|place| {
            let age = i32::try_from(*place).unwrap_or(i32::MAX);
            (Reverse(size(&sets[*place])), if allowed > total { age.saturating_neg() } else { age })
        });
        let before = |set: &ReplicaSet| {
            let noted = set.metadata.annotations.get(MAX_REPLICAS).and_then(|text| text.parse().ok());
            noted.filter(|max| *max > 0).unwrap_or(self.deployment.status.replicas)
        };
        let part = |place: &usize| {
            let set = &sets[*place];
            let Sizes { spec, available } = sizes_of(set);
            let unmissed = if Some(*place) == self.new { 0 } else { spec.saturating_sub(available) };
            Part { spec, max_before: before(set), unmissed }
        };
        let parts: Vec<Part> = active.iter().map(part).collect();
        for (place, wanted) in active.iter().zip(proportional::scale(&parts, allowed)) {
            self.resize_and_note(&mut sets[*place], wanted, actions);
        }
    }

    /// Adds the status after the actions, as far as it is known now.
    fn finish(
        &self,
        mut actions: Vec<Action>,
        sets: &[Arc<ReplicaSet>],
        new: Option<usize>,
        estimate: Estimate,
    ) -> Plan {
        let deployment = self.deployment;
        let all: Vec<&ReplicaSet> = sets.iter().map(Arc::as_ref).collect();
        let new_set = new.map(|place| all[place]);
        let mut next = status::counted(deployment, &all, new_set, &self.limits, self.now);
        let mut wake_after = None;
        if let Some(set) = new_set.filter(|_| status::has_deadline(deployment)) {
            let name = &set.metadata.name;
            if self.new.is_none() {
                status::set_progressing(
                    &mut next,
                    "True",
                    "NewReplicaSetCreated",
                    format!("Created new replica set {name:?}"),
                    self.now,
                );
            } else if !status::has_progressing(&next) {
                status::set_progressing(
                    &mut next,
                    "True",
                    "FoundNewReplicaSet",
                    format!("Found new replica set {name:?}"),
                    self.now,
                );
            }
        }
        if estimate == Estimate::Yes && self.new.is_some() {
            wake_after = status::estimate_progress(deployment, &mut next, new_set, self.timing, self.now);
        }
        status::note_failure(&mut next, &all, new_set, self.now);
        if actions.is_empty() && status::is_complete(deployment, &deployment.status) {
            actions.extend(history::forget(deployment, &self.old_sets().collect::<Vec<_>>()));
        }
        let revision = new_set.and_then(|set| set.metadata.annotations.get(REVISION)).cloned();
        let same_revision = revision.is_none() || deployment.metadata.annotations.get(REVISION) == revision.as_ref();
        if next != deployment.status || !same_revision {
            actions.push(self.store(next, revision));
        }
        Plan { wake_after, ..Plan::of(actions) }
    }

    fn store(&self, status: DeploymentStatus, revision: Option<String>) -> Action {
        let mut deployment = self.deployment.clone();
        deployment.status = status;
        deployment.metadata.annotations.extend(revision.map(|revision| (REVISION.to_owned(), revision)));
        Action::UpdateStatus(Box::new(deployment.into()))
    }
}

/// Whether to update the rollout's progress in the status. It is not updated while paused or only scaled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Estimate {
    Yes,
    No,
}

fn size(set: &ReplicaSet) -> i32 {
    set.spec.replicas.unwrap_or(1)
}

fn sizes_of(set: &ReplicaSet) -> Sizes {
    Sizes::of(size(set), set.status.available_replicas)
}
