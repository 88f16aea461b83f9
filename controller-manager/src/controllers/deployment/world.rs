//! For tests: simulates a Deployment with ReplicaSets that change their size at once.

use std::sync::Arc;

use jiff::Timestamp;
use squall_api::Object;
use squall_api::apps::v1::{Deployment, ReplicaSet};
use squall_api::intstr::IntOrString;
use squall_api::kinds::Resource;
use squall_daemon::Timing;

use super::{Observed, plan};
use crate::runtime::Action;

/// A simulation of one Deployment whose ReplicaSets become available one replica at a time.
pub struct World {
    pub deployment: Deployment,
    /// Oldest first.
    pub sets: Vec<ReplicaSet>,
    pub seconds: i64,
    /// The sizes of all ReplicaSets after each change.
    pub trace: Vec<String>,
}

impl World {
    pub fn new(replicas: i32, surge: &str, unavailable: &str) -> Self {
        let amount = |text: &str| text.parse().map_or_else(|_| IntOrString::string(text), IntOrString::int);
        let text = include_str!("../../../../examples/chapter/kubia-deployment-v1.yaml");
        let manifest = squall_api::manifest::documents(text).unwrap().remove(0);
        let object = Object::from_json(squall_api::Kind::Deployment, manifest).unwrap();
        let mut deployment = Deployment::try_from(object).unwrap();
        deployment.metadata.uid = "d".to_owned();
        deployment.metadata.generation = 1;
        deployment.spec.replicas = Some(replicas);
        deployment.set_defaults();
        let rolling = deployment.spec.strategy.rolling_update.as_mut().unwrap();
        rolling.max_surge = Some(amount(surge));
        rolling.max_unavailable = Some(amount(unavailable));
        Self { deployment, sets: Vec::new(), seconds: 0, trace: Vec::new() }
    }

    pub fn set_image(&mut self, image: &str) {
        self.deployment.spec.template.spec.containers[0].image = image.to_owned();
        self.deployment.metadata.generation += 1;
    }

    /// Plans and acts until nothing changes any more and every replica that may become available is available.
    pub fn settle(&mut self, may_become_available: impl Fn(&ReplicaSet) -> bool) {
        for _ in 0..200 {
            self.seconds += 1;
            if !self.step() && !self.one_more_available(&may_become_available) {
                return;
            }
        }
        unreachable!("does not settle: {:?}", self.trace);
    }

    /// Plans and acts once. Returns true if there was anything to do.
    pub fn step(&mut self) -> bool {
        let observed = Observed {
            deployment: Arc::new(self.deployment.clone()),
            replica_sets: self.sets.iter().cloned().map(Arc::new).collect(),
            taken_names: Vec::new(),
            pods: vec![0; self.sets.len()],
            failure: None,
        };
        let now = Timestamp::from_second(self.seconds).unwrap();
        let plan = plan::plan(&observed, &Timing::KUBERNETES, now);
        let acted = !plan.actions.is_empty();
        for action in plan.actions {
            match action {
                Action::Create(object) => {
                    let mut set = ReplicaSet::try_from(*object).unwrap();
                    set.metadata.uid.clone_from(&set.metadata.name);
                    set.metadata.creation_timestamp.seconds = self.seconds;
                    self.sets.push(set);
                }
                Action::Update(object) => {
                    let set = ReplicaSet::try_from(*object).unwrap();
                    let uid = set.metadata.uid.clone();
                    *self.sets.iter_mut().find(|old| old.metadata.uid == uid).unwrap() = set;
                }
                Action::UpdateStatus(object) => {
                    self.deployment = Deployment::try_from(*object).unwrap();
                    continue;
                }
                Action::Delete { uid, .. } => self.sets.retain(|set| set.metadata.uid != uid),
                _ => continue,
            }
            self.note();
        }
        for set in &mut self.sets {
            let size = set.spec.replicas.unwrap();
            set.status.replicas = size;
            set.status.available_replicas = set.status.available_replicas.min(size);
            set.status.ready_replicas = set.status.available_replicas;
            set.status.observed_generation = set.metadata.generation;
        }
        acted
    }

    /// Makes one more replica available, of the oldest ReplicaSet that waits for one. Returns false if there is none.
    pub fn one_more_available(&mut self, may: impl Fn(&ReplicaSet) -> bool) -> bool {
        let waiting = |set: &&mut ReplicaSet| set.status.available_replicas < set.status.replicas && may(set);
        let Some(set) = self.sets.iter_mut().find(waiting) else { return false };
        set.status.available_replicas += 1;
        set.status.ready_replicas += 1;
        true
    }

    fn note(&mut self) {
        let sizes: Vec<String> = self.sets.iter().map(|set| set.spec.replicas.unwrap().to_string()).collect();
        let sizes = sizes.join(",");
        if self.trace.last() != Some(&sizes) {
            self.trace.push(sizes);
        }
    }

    /// Sets the available replicas of the newest ReplicaSet to one number after another, and settles after each.
    pub fn becomes_available(&mut self, numbers: &[i32]) {
        for number in numbers {
            let newest = self.sets.last_mut().unwrap();
            newest.status.available_replicas = *number;
            newest.status.ready_replicas = *number;
            self.settle(|_| false);
        }
    }
}
