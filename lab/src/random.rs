//! Random scenarios: user actions, faults, their times and durations. The seed determines everything.

use std::time::Duration;

use fastrand::Rng;

use crate::faults::{self, Fault, Row, Track};
use crate::scenario::{Arm, Condition, Count, Exit, Expectation, FaultStep, Healing, Load, Moment};
use crate::scenario::{Scenario, Shape, StartLoad, Step};

const DEPLOYMENT: &str = "kubia";
const ARM: &str = "random";
const VERSIONS: [&str; 3] = ["luksa/kubia:v1", "luksa/kubia:v2", "luksa/kubia:v4"];
/// How long a fault lasts, in milliseconds.
const LASTING: std::ops::Range<u64> = 1_500..4_000;
/// The pauses between two faults of a track, and between two user actions, in milliseconds.
const PAUSES: std::ops::Range<u64> = 500..3_000;
/// The timeout for the final state.
const PATIENCE: Duration = Duration::from_secs(90);

/// Returns the scenario of this seed, with user actions and faults for this duration.
#[must_use]
pub fn scenario(seed: u64, duration: Duration) -> Scenario {
    let mut random = Rng::with_seed(seed);
    let mut steps = vec![
        Step::ctl("create -f ../careful/deployment.yaml", Exit::Success),
        rolled_out(None),
        Step::Load(StartLoad { load: Load { service: DEPLOYMENT.to_owned(), clients: 2 } }),
    ];
    // Process faults come one after the other, and so do all other faults, so that each fault finds its victim.
    for (track, name) in [(Track::Processes, "process"), (Track::Others, "other")] {
        let drawn = faults(&mut random, duration, track);
        let named = drawn.map(|(number, step)| FaultStep { name: format!("{name}-{number}"), ..step });
        steps.extend(named.map(Step::Fault));
    }
    steps.extend(doings(&mut random, duration));
    let (image, replicas) = (VERSIONS[random.usize(..VERSIONS.len())], random.i64(2..7));
    steps.push(Step::ctl(&format!("rollout resume deployment {DEPLOYMENT}"), Exit::Any));
    steps.push(Step::rest(Duration::from_millis(LASTING.end)));
    steps.push(Step::ctl(&format!("scale deployment {DEPLOYMENT} --replicas={replicas}"), Exit::Success));
    steps.push(Step::ctl(&format!("set image deployment {DEPLOYMENT} nodejs={image}"), Exit::Success));
    steps.push(rolled_out(Some(image)));
    let pods = Condition::Pods {
        image: Some(image.to_owned()),
        labels: std::collections::BTreeMap::new(),
        ready: Some(Count::Exactly(replicas)),
        active: Some(Count::Exactly(replicas)),
    };
    Scenario {
        name: format!("random-{seed}"),
        title: format!("A random scenario from seed {seed}"),
        explain: "Users change a Deployment again and again, and clients write and read, during random faults. \
                  In the end the Deployment matches its users' last changes, and no acknowledged write is lost."
            .to_owned(),
        cluster: Shape { checkers: 2, ..Shape::default() },
        limit: duration + 2 * PATIENCE,
        settle: PATIENCE,
        mutant: None,
        arms: vec![Arm {
            name: ARM.to_owned(),
            steps,
            expect: vec![expected(rolled(Some(image))), expected(pods)],
            clients_may_fail: false,
            never_fewer: Vec::new(),
        }],
        faults_may_miss: true,
        images: None,
        folder: std::path::PathBuf::new(),
    }
}

/// Returns the scenario with only these faults, by their place among all.
#[must_use]
pub fn with_faults(scenario: &Scenario, kept: &[usize]) -> Scenario {
    let mut scenario = scenario.clone();
    let mut place = 0;
    for arm in &mut scenario.arms {
        arm.steps.retain(|step| {
            let is_fault = step.fault().is_some();
            let is_kept = !is_fault || kept.contains(&place);
            place += usize::from(is_fault);
            is_kept
        });
    }
    scenario
}

fn expected(condition: Condition) -> Expectation {
    Expectation { condition, within: PATIENCE, stays: Duration::from_secs(2) }
}

fn rolled(image: Option<&str>) -> Condition {
    Condition::RolledOut { deployment: DEPLOYMENT.to_owned(), image: image.map(str::to_owned) }
}

fn rolled_out(image: Option<&str>) -> Step {
    Step::until(rolled(image), PATIENCE)
}

/// Returns faults in sequence, each after the previous one is healed.
fn faults(random: &mut Rng, duration: Duration, track: Track) -> impl Iterator<Item = (usize, FaultStep)> + use<> {
    let rows: Vec<Row> = faults::all().into_iter().filter(|row| row.track == track).collect();
    let mut steps = Vec::new();
    let mut at = 0;
    let end = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    loop {
        at += random.u64(PAUSES);
        let lasting = random.u64(LASTING);
        if at >= end {
            break;
        }
        let (moment, healing) =
            (Moment::After(Duration::from_millis(at)), Healing::After(Duration::from_millis(lasting)));
        steps.push(FaultStep { name: String::new(), fault: draw(random, &rows), moment, healing });
        at += lasting;
    }
    (1..).zip(steps)
}

/// Draws a fault, by the weights of the list.
fn draw(random: &mut Rng, rows: &[Row]) -> Fault {
    let mut number = random.u32(..rows.iter().map(|row| row.weight).sum::<u32>());
    let chosen = rows.iter().find(|row| match number.checked_sub(row.weight) {
        Some(left) => {
            number = left;
            false
        }
        None => true,
    });
    // The number is below the sum of the weights, so that one is always found.
    (chosen.unwrap_or(&rows[0]).draw)(random)
}

/// Returns the user actions, with pauses.
fn doings(random: &mut Rng, duration: Duration) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut left = duration;
    while !left.is_zero() {
        let pause = Duration::from_millis(random.u64(PAUSES)).min(left);
        left -= pause;
        steps.push(Step::rest(pause));
        let line = match random.u8(..7) {
            0..=2 => {
                format!("set image deployment {DEPLOYMENT} nodejs={}", VERSIONS[random.usize(..VERSIONS.len())])
            }
            3 => format!("scale deployment {DEPLOYMENT} --replicas={}", random.u8(1..8)),
            4 => format!("rollout undo deployment {DEPLOYMENT}"),
            5 => format!("rollout restart deployment {DEPLOYMENT}"),
            _ if random.bool() => format!("rollout pause deployment {DEPLOYMENT}"),
            _ => format!("rollout resume deployment {DEPLOYMENT}"),
        };
        // An action that fails because no apiserver answers is skipped.
        steps.push(Step::ctl(&format!("{line} --request-timeout=5s"), Exit::Any));
    }
    steps
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_seed_decides_everything() {
        let text = |seed| format!("{:?}", scenario(seed, Duration::from_secs(30)));
        assert_eq!(text(7), text(7));
        assert_ne!(text(7), text(8));
    }

    #[test]
    fn every_fault_of_the_list_is_drawn() {
        let drawn: BTreeSet<String> = (0..200)
            .flat_map(|seed| {
                let scenario = scenario(seed, Duration::from_secs(30));
                scenario.faults().map(|(_, step)| step.fault.name()).collect::<Vec<_>>()
            })
            .collect();
        assert_eq!(drawn.len(), faults::all().len(), "{drawn:?}");
    }

    #[test]
    fn faults_can_be_left_out_one_by_one() {
        let whole = scenario(3, Duration::from_secs(30));
        let all = whole.faults().count();
        assert!(all >= 4, "only {all} faults");
        let some = with_faults(&whole, &[0, 2]);
        let names: Vec<String> = some.faults().map(|(_, step)| step.name.clone()).collect();
        let expected: Vec<String> = whole.faults().map(|(_, step)| step.name.clone()).collect();
        assert_eq!(names, [expected[0].clone(), expected[2].clone()]);
    }
}
