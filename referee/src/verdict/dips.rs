//! Times in which fewer pods were ready than a Deployment wants to have available. Not a rule: pods may be lost at any
//! time. An invariant finds a controller that removes too many; the remaining dips are caused by faults and users. A
//! Deployment that was scaled up is no dip: it is still being created, up to its new size.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use squall_api::kinds::is_pod_ready;

use super::cause;
use crate::evidence::{ArmRecord, FaultRecord};
use crate::history::{History, World};
use crate::invariants::limits::Limits;

/// A time with too few ready pods.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Dip {
    /// The Deployment with its namespace: `rollout/kubia`.
    pub deployment: String,
    /// The beginning.
    #[serde(with = "squall_api::duration")]
    pub from: Duration,
    /// The end.
    #[serde(with = "squall_api::duration")]
    pub to: Duration,
    /// The lowest number of ready pods.
    pub fewest: i32,
    /// The number of pods that should be available.
    pub wanted: i32,
    /// The likely cause.
    pub charged_to: String,
}

/// The state of a Deployment during the walk.
#[derive(Default)]
struct Watched {
    /// The Deployment has had enough ready pods for its present size; before that it was still being created.
    was_whole: bool,
    /// The number of pods that should be available.
    wanted: i32,
    dip: Option<Dip>,
}

/// Returns all dips by their beginning.
pub fn dips(history: &History, arms: &[ArmRecord], faults: &[FaultRecord]) -> Vec<Dip> {
    let mut watched: BTreeMap<String, Watched> = BTreeMap::new();
    let mut found = Vec::new();
    history.walk(|step| {
        for deployment in step.world.deployments() {
            let name = format!("{}/{}", deployment.metadata.namespace, deployment.metadata.name);
            let (ready, wanted) = (ready(step.world, &deployment.metadata.uid), Limits::of(deployment).least);
            watched.entry(name.clone()).or_default().look(name, (ready, wanted), step.change.at, &mut found);
        }
    });
    found.extend(watched.into_values().filter_map(|watched| watched.dip));
    for dip in &mut found {
        let arm = arms.iter().find(|arm| dip.deployment.split('/').next() == Some(&arm.name));
        dip.charged_to = cause::of(arm, faults, (dip.from, dip.from));
    }
    found.sort_by_key(|dip| dip.from);
    found
}

impl Watched {
    fn look(&mut self, deployment: String, (ready, wanted): (i32, i32), at: Duration, found: &mut Vec<Dip>) {
        self.was_whole = ready >= wanted || self.was_whole && wanted <= self.wanted;
        self.wanted = wanted;
        match &mut self.dip {
            // A dip has the size that it began with.
            Some(dip) => {
                dip.to = at;
                dip.fewest = dip.fewest.min(ready);
                if ready >= dip.wanted.min(wanted) {
                    found.extend(self.dip.take());
                }
            }
            None if ready < wanted && self.was_whole => {
                let charged_to = String::new();
                self.dip = Some(Dip { deployment, from: at, to: at, fewest: ready, wanted, charged_to });
            }
            None => {}
        }
    }
}

fn ready(world: &World, uid: &str) -> i32 {
    let pods = world.sets_of(uid).flat_map(|set| world.active_pods_of(&set.metadata.uid));
    i32::try_from(pods.filter(|pod| is_pod_ready(pod)).count()).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dip_begins_after_it_was_whole_and_ends_when_it_is_whole_again() {
        let (mut watched, mut found) = (Watched::default(), Vec::new());
        for (second, ready) in [(0, 0), (1, 2), (2, 3), (3, 2), (4, 1), (5, 3), (6, 3)] {
            watched.look("a/b".to_owned(), (ready, 3), Duration::from_secs(second), &mut found);
        }
        let told: Vec<_> = found.iter().map(|dip| (dip.from.as_secs(), dip.to.as_secs(), dip.fewest)).collect();
        assert_eq!(told, [(3, 5, 1)]);
        assert!(watched.dip.is_none());
    }

    #[test]
    fn scaling_up_is_no_dip_and_does_not_prolong_one() {
        let (mut watched, mut found) = (Watched::default(), Vec::new());
        let looks = [(1, 3, 3), (2, 3, 6), (3, 4, 6), (4, 6, 6), (5, 5, 6), (6, 5, 9), (7, 6, 9), (8, 9, 9), (9, 2, 2)];
        for (second, ready, wanted) in looks {
            watched.look("a/b".to_owned(), (ready, wanted), Duration::from_secs(second), &mut found);
        }
        let told: Vec<_> = found.iter().map(|dip| (dip.from.as_secs(), dip.to.as_secs(), dip.wanted)).collect();
        assert_eq!(told, [(5, 7, 6)], "only the pod that was lost at the size of 6");
        assert!(watched.dip.is_none());
    }
}
