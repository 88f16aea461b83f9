//! Promises that a workload never has fewer ready pods than a number, judged by the whole history.

use std::collections::BTreeMap;
use std::time::Duration;

use squall_api::kinds::{is_pod_active, is_pod_ready};

use crate::evidence::{ArmRecord, Floor};
use crate::history::{History, World};

/// Returns the first time at which an arm had fewer ready pods than it promised, and how many. The promise begins when it
/// is kept for the first time.
pub fn broken(floor: &Floor, arm: &ArmRecord, history: &History) -> Result<(), String> {
    let mut is_kept = count(&history.start, arm, &floor.labels) >= floor.ready;
    let mut was_kept = is_kept;
    let mut first: Option<(Duration, usize)> = None;
    let mut fewest = usize::MAX;
    history.walk(|step| {
        let ready = count(step.world, arm, &floor.labels);
        is_kept = ready >= floor.ready;
        was_kept |= is_kept;
        if was_kept && !is_kept {
            first.get_or_insert((step.change.at, ready));
            fewest = fewest.min(ready);
        }
    });
    match first {
        _ if !was_kept => Err(format!("there were never {} ready pods", floor.ready)),
        None => Ok(()),
        Some((at, ready)) => {
            Err(format!("there were {ready} ready pods after {:.1} s, and {fewest} at the least", at.as_secs_f64()))
        }
    }
}

fn count(world: &World, arm: &ArmRecord, labels: &BTreeMap<String, String>) -> usize {
    let pods = world.pods().filter(|pod| pod.metadata.namespace == arm.name && is_pod_active(pod) && is_pod_ready(pod));
    let has_all = |pod: &&squall_api::core::v1::Pod| {
        labels.iter().all(|(key, value)| pod.metadata.labels.get(key) == Some(value))
    };
    pods.filter(has_all).count()
}

#[cfg(test)]
mod tests {
    use squall_api::core::v1::{Pod, PodCondition};

    use super::*;
    use crate::history::{Change, Fate, Subject};

    fn change(second: u64, name: &str, app: &str, fate: Fate) -> Change {
        let mut pod = Pod::default();
        name.clone_into(&mut pod.metadata.uid);
        "arm".clone_into(&mut pod.metadata.namespace);
        pod.metadata.labels.insert("app".to_owned(), app.to_owned());
        "Running".clone_into(&mut pod.status.phase);
        let (kind, status) = ("Ready".to_owned(), "True".to_owned());
        pod.status.conditions.push(PodCondition { r#type: kind, status, ..PodCondition::default() });
        Change { revision: second, subject: Subject::Pod(Box::new(pod)), fate, at: Duration::from_secs(second) }
    }

    #[test]
    fn a_promise_begins_when_it_is_kept_and_ends_with_the_first_pod_too_few() {
        let history = |changes| History { changes, ..History::default() };
        let arm = ArmRecord { name: "arm".to_owned(), ..ArmRecord::default() };
        let floor = Floor { ready: 2, labels: [("app".to_owned(), "web".to_owned())].into() };
        let up = vec![change(1, "a", "web", Fate::Stored), change(2, "b", "web", Fate::Stored)];
        assert_eq!(broken(&floor, &arm, &history(up.clone())), Ok(()));
        let other =
            [up.clone(), vec![change(3, "c", "db", Fate::Stored), change(4, "c", "db", Fate::Removed)]].concat();
        assert_eq!(broken(&floor, &arm, &history(other)), Ok(()), "a pod of another workload");
        let less = [up, vec![change(7, "a", "web", Fate::Removed), change(8, "a", "web", Fate::Stored)]].concat();
        let told = broken(&floor, &arm, &history(less)).unwrap_err();
        assert_eq!(told, "there were 1 ready pods after 7.0 s, and 1 at the least");
        let never = vec![change(1, "a", "web", Fate::Stored)];
        assert_eq!(broken(&floor, &arm, &history(never)).unwrap_err(), "there were never 2 ready pods");
    }
}
