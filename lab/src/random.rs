//! Scenarios drawn at random: what users do, what is broken, when and for how long. The seed decides it all.

use std::time::Duration;

use fastrand::Rng;

use crate::faults::{Fault, Skew};
use crate::scenario::{Arm, Condition, Count, Exit, Expectation, FaultStep, Healing, Load, Moment, Place};
use crate::scenario::{Scenario, Shape, Step, Victim};
use squall_cluster::Role;

const DEPLOYMENT: &str = "kubia";
const ARM: &str = "random";
const VERSIONS: [&str; 3] = ["luksa/kubia:v1", "luksa/kubia:v2", "luksa/kubia:v4"];
/// How long what is broken stays so, in milliseconds.
const LASTING: std::ops::Range<u64> = 1_500..4_000;
/// The pauses between two faults of a kind, and between two things that users do, in milliseconds.
const PAUSES: std::ops::Range<u64> = 500..3_000;
/// How long it may take until all is as it should be.
const PATIENCE: Duration = Duration::from_secs(90);

/// A scenario of this seed, in which things are done and broken for so long.
#[must_use]
pub fn scenario(seed: u64, duration: Duration) -> Scenario {
    let mut random = Rng::with_seed(seed);
    let mut steps = vec![
        ctl("create -f chapter/kubia-deployment-and-service-v1.yaml", Exit::Success),
        rolled_out(None),
        Step::Load(Load { service: DEPLOYMENT.to_owned(), clients: 2 }),
    ];
    // Processes are broken one after the other, and so is all else: each fault finds its victim in order.
    let tracks: [fn(&mut Rng) -> Fault; 2] = [of_processes, of_everything_else];
    for (track, draw) in tracks.into_iter().enumerate() {
        steps.extend(faults(&mut random, duration, draw).map(|(number, step)| {
            let name = format!("{}-{number}", if track == 0 { "process" } else { "other" });
            Step::Fault(FaultStep { name, ..step })
        }));
    }
    steps.extend(doings(&mut random, duration));
    let (image, replicas) = (VERSIONS[random.usize(..VERSIONS.len())], random.i64(2..7));
    steps.push(ctl(&format!("rollout resume deployment {DEPLOYMENT}"), Exit::Any));
    steps.push(Step::Rest(Duration::from_millis(LASTING.end)));
    steps.push(ctl(&format!("scale deployment {DEPLOYMENT} --replicas={replicas}"), Exit::Success));
    steps.push(ctl(&format!("set image deployment {DEPLOYMENT} nodejs={image}"), Exit::Success));
    steps.push(rolled_out(Some(image)));
    let pods = Condition::Pods {
        image: Some(image.to_owned()),
        ready: Some(Count::Exactly(replicas)),
        active: Some(Count::Exactly(replicas)),
    };
    Scenario {
        name: format!("random-{seed}"),
        title: format!("What seed {seed} draws"),
        explain:
            "Users change a Deployment again and again, and clients write and read, while things break at random. \
                  In the end the Deployment is what its users said last, and nothing acknowledged is lost."
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
        }],
        faults_may_miss: true,
        folder: std::path::PathBuf::new(),
    }
}

/// The same scenario with only some of its faults, by their place among all.
#[must_use]
pub fn with_faults(scenario: &Scenario, kept: &[usize]) -> Scenario {
    let mut scenario = scenario.clone();
    let mut place = 0;
    for arm in &mut scenario.arms {
        arm.steps.retain(|step| {
            let is_kept = !matches!(step, Step::Fault(_)) || kept.contains(&place);
            place += usize::from(matches!(step, Step::Fault(_)));
            is_kept
        });
    }
    scenario
}

fn expected(condition: Condition) -> Expectation {
    Expectation { condition, within: PATIENCE, stays: Duration::from_secs(2) }
}

fn ctl(line: &str, exit: Exit) -> Step {
    Step::Ctl { words: line.split(' ').map(str::to_owned).collect(), background: None, exit }
}

fn rolled(image: Option<&str>) -> Condition {
    Condition::RolledOut { deployment: DEPLOYMENT.to_owned(), image: image.map(str::to_owned) }
}

fn rolled_out(image: Option<&str>) -> Step {
    Step::Await { condition: rolled(image), within: PATIENCE }
}

/// Faults one after the other, each after the one before is healed.
fn faults(
    random: &mut Rng,
    duration: Duration,
    draw: fn(&mut Rng) -> Fault,
) -> impl Iterator<Item = (usize, FaultStep)> + use<> {
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
        steps.push(FaultStep { name: String::new(), fault: draw(random), moment, healing });
        at += lasting;
    }
    (1..).zip(steps)
}

fn of_processes(random: &mut Rng) -> Fault {
    let victims = [
        Victim::RaftLeader,
        Victim::RaftFollower,
        Victim::Quorum,
        Victim::All(Role::Apiserver),
        Victim::ControllerLeader,
        Victim::ControllerStandby,
        Victim::All(Role::ControllerManager),
        Victim::Node(random.usize(..3)),
        Victim::All(Role::Kubelet),
    ];
    let victim = victims[random.usize(..victims.len())].clone();
    match (random.u8(..5), &victim) {
        (0, Victim::RaftLeader | Victim::RaftFollower | Victim::Quorum) => Fault::Tear(victim),
        (1, _) => Fault::Terminate(victim),
        (2, _) => Fault::Pause(victim),
        (3, _) => Fault::Restart(victim),
        _ => Fault::Kill(victim),
    }
}

fn of_everything_else(random: &mut Rng) -> Fault {
    let place = |victim| Place::Victim(victim);
    let ends = [
        (place(Victim::RaftLeader), place(Victim::All(Role::Apiserver))),
        (place(Victim::RaftFollower), place(Victim::All(Role::Apiserver))),
        (place(Victim::ControllerLeader), Place::Any),
        (place(Victim::Node(random.usize(..3))), Place::Any),
        (place(Victim::All(Role::Kubelet)), Place::Any),
        (place(Victim::All(Role::Kubelet)), place(Victim::All(Role::Kubelet))),
        (place(Victim::All(Role::Apiserver)), place(Victim::All(Role::Kubelet))),
    ];
    let (from, to) = ends[random.usize(..ends.len())].clone();
    let one_way = random.bool();
    match random.u8(..7) {
        0 | 1 => Fault::Cut { from, to, reset: random.bool(), one_way },
        2 | 3 => Fault::Slow {
            from,
            to,
            delay: Duration::from_millis(random.u64(5..200)),
            jitter: Duration::from_millis(random.u64(0..100)),
            bytes_per_second: 0,
            one_way,
        },
        4 => Fault::SlowDisk { of: Victim::All(Role::Apiserver), sync: Duration::from_millis(random.u64(5..60)) },
        5 => Fault::Clock { of: Victim::All(Role::Kubelet), skew: Skew { milliseconds: random.i64(-5_000..5_000) } },
        _ => Fault::Hold {
            of: Victim::ControllerLeader,
            kind: "Pod".to_owned(),
            object: String::new(),
            delay: Duration::from_millis(random.u64(10..150)),
        },
    }
}

/// What users do, with pauses.
fn doings(random: &mut Rng, duration: Duration) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut left = duration;
    while !left.is_zero() {
        let pause = Duration::from_millis(random.u64(PAUSES)).min(left);
        left -= pause;
        steps.push(Step::Rest(pause));
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
        // What cannot be done while nothing answers is not done.
        steps.push(ctl(&format!("{line} --request-timeout=5s"), Exit::Any));
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_decides_everything() {
        let text = |seed| format!("{:?}", scenario(seed, Duration::from_secs(30)));
        assert_eq!(text(7), text(7));
        assert_ne!(text(7), text(8));
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
