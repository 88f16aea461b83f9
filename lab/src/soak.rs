//! The soak: clients write and read while apiservers are killed, frozen, restarted and cut off from each other at random.
//! No acknowledged write may be lost, no read may go back, and no watch may miss a change. A scenario drawn from a seed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use fastrand::Rng;
use serde::Serialize;
use squall_cluster::{MemberName, Role};
use squall_referee::verdict::Outcome;

use crate::faults::{Cut, Fault, Kill, LinkEnd, Pause, Terminate, Victim};
use crate::scenario::{Arm, Condition, Count, FaultStep, Healing, Moment, Scenario, Shape, Step};
use crate::stage::Record;

/// The pauses before each fault, in milliseconds.
const PAUSES: std::ops::Range<u64> = 100..1_000;
/// The time that a fault lasts, in milliseconds.
const LASTING: std::ops::Range<u64> = 100..2_000;
/// The longest soak by time, in milliseconds: a day.
pub const LONGEST_MS: u64 = 24 * 3_600 * 1_000;
/// The timeout for the writes between two faults.
const PATIENCE: Duration = Duration::from_secs(3_600);

/// The size of a soak.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Determines the faults and their times.
    pub seed: u64,
    /// When it is enough.
    pub length: Length,
    /// The number of clients that write, each to its own keys.
    pub writers: usize,
    /// The number of clients that read any key.
    pub readers: usize,
    /// The number of watches.
    pub watchers: usize,
}

/// The length of a soak.
#[derive(Debug, Clone, Copy)]
pub enum Length {
    /// Until so much has happened.
    Work {
        /// At least this many writes are acknowledged.
        writes: u64,
        /// This many faults are injected, spread evenly over the writes.
        faults: u64,
    },
    /// Until someone says that it is enough, for at most this long. One fault follows the other.
    Time(Duration),
}

/// The result of a soak.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The seed of the plan.
    pub seed: u64,
    /// Everything that did not hold; empty if all held.
    pub violations: Vec<String>,
    /// Acknowledged writes.
    pub acknowledged: u64,
    /// Writes without an answer; their outcome was read back.
    pub unknown: u64,
    /// Reads that were checked.
    pub reads: u64,
    /// Watch events that were checked.
    pub watched: u64,
    /// The number of faults of each kind.
    pub faults: Vec<(String, u64)>,
    /// The time from the first process to the verdict, in seconds.
    pub seconds: f64,
    /// The longest time in which no write was acknowledged, in seconds.
    pub longest_silence_seconds: f64,
}

/// Whether a fault lasts for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lasting {
    AWhile,
    /// It is healed as soon as it has landed.
    NoTime,
}

/// Draws a fault of a kind.
type Draw = fn(&mut Rng, apiservers: usize) -> Fault;

/// The kinds of faults.
const KINDS: [(&str, Lasting, Draw); 9] = [
    ("kill-leader", Lasting::NoTime, |_, _| Fault::Kill(Kill::of(Victim::RaftLeader))),
    ("kill-one", Lasting::AWhile, |random, count| Fault::Kill(Kill::of(one(random, count)))),
    ("freeze", Lasting::AWhile, |random, count| Fault::Pause(Pause::of(one(random, count)))),
    ("restart", Lasting::AWhile, |random, count| Fault::Terminate(Terminate::of(one(random, count)))),
    ("kill-two", Lasting::AWhile, |_, _| Fault::Kill(Kill::of(Victim::Quorum))),
    ("power-cut", Lasting::NoTime, |_, _| Fault::Kill(Kill::of(Victim::All(Role::Apiserver)))),
    ("cut-off", Lasting::AWhile, |random, count| Fault::Cut(cut_off(random, count))),
    ("cut-one-way", Lasting::AWhile, |random, count| Fault::Cut(cut_one_way(random, count))),
    ("reset", Lasting::AWhile, |random, count| Fault::Cut(cut_off(random, count).reset())),
];

fn member(index: usize) -> Victim {
    Victim::Member(MemberName { role: Role::Apiserver, index })
}

fn one(random: &mut Rng, apiservers: usize) -> Victim {
    member(random.usize(..apiservers))
}

fn cut_off(random: &mut Rng, apiservers: usize) -> Cut {
    Cut::between(LinkEnd::Victim(one(random, apiservers)), LinkEnd::Any)
}

/// What one member sends to another does not arrive; the other way it does.
fn cut_one_way(random: &mut Rng, apiservers: usize) -> Cut {
    let from = random.usize(..apiservers);
    let to = (from + random.usize(1..apiservers.max(2))) % apiservers;
    Cut::between(LinkEnd::Victim(member(from)), LinkEnd::Victim(member(to))).one_way()
}

impl Length {
    fn faults(self) -> u64 {
        match self {
            Self::Work { faults, .. } => faults,
            // As many as fit, if each is as short as can be.
            Self::Time(time) => u64::try_from(time.as_millis()).unwrap_or(u64::MAX).min(LONGEST_MS) / PAUSES.start + 1,
        }
    }
}

/// The steps of one fault: a pause, the fault, and its healing.
fn fault(number: u64, random: &mut Rng, apiservers: usize) -> Vec<Step> {
    let (kind, lasting, draw) = KINDS[random.usize(..KINDS.len())];
    let name = format!("{kind}-{number}");
    let mut steps = vec![Step::rest(Duration::from_millis(random.u64(PAUSES)))];
    let fault = draw(random, apiservers);
    let (moment, healing) = (Moment::Now, Healing::InTheEnd);
    steps.push(Step::Fault(FaultStep { name: name.clone(), fault, moment, healing }));
    if lasting == Lasting::AWhile {
        steps.push(Step::rest(Duration::from_millis(random.u64(LASTING))));
    }
    steps.push(Step::heal(&name));
    steps
}

/// The scenario of a plan, on this many apiservers.
#[must_use]
pub fn scenario(plan: &Plan, apiservers: usize) -> Scenario {
    let mut random = Rng::with_seed(plan.seed);
    let written = |writes: u64| {
        let count = Count::AtLeast(i64::try_from(writes).unwrap_or(i64::MAX));
        Step::until(Condition::Acknowledged(count), PATIENCE)
    };
    let mut steps = Vec::new();
    for number in 1..=plan.length.faults() {
        if let Length::Work { writes, faults } = plan.length {
            steps.push(written(writes / faults * (number - 1)));
        }
        steps.extend(fault(number, &mut random, apiservers));
    }
    match plan.length {
        Length::Work { writes, .. } => steps.push(written(writes)),
        Length::Time(time) => steps.push(Step::rest(time)),
    }
    let shape = Shape {
        apiservers,
        controller_managers: 1,
        nodes: 0,
        links: true,
        retry_backends: false,
        checkers: plan.writers,
        readers: plan.readers,
        watchers: plan.watchers,
    };
    Scenario {
        name: "soak".to_owned(),
        title: format!("A soak from seed {}", plan.seed),
        explain: "Clients write, read and watch while apiservers die, freeze and lose each other.".to_owned(),
        cluster: shape,
        limit: PATIENCE * 24,
        settle: Duration::from_secs(60),
        mutant: None,
        arms: vec![Arm {
            name: "default".to_owned(),
            steps,
            expect: Vec::new(),
            clients_may_fail: false,
            never_fewer: Vec::new(),
        }],
        faults_may_miss: true,
        images: None,
        folder: PathBuf::new(),
    }
}

impl Report {
    /// The result of a played soak.
    #[must_use]
    pub fn of(plan: &Plan, record: &Record) -> Self {
        let checked = record.verdict.checked.clone().unwrap_or_default();
        let broken = record.verdict.reasons.iter().filter(|reason| reason.outcome > Outcome::Degraded);
        let mut faults: BTreeMap<String, u64> = BTreeMap::new();
        for fault in &record.faults {
            let kind = fault.name.rsplit_once('-').map_or(fault.name.as_str(), |(kind, _)| kind);
            *faults.entry(kind.to_owned()).or_default() += 1;
        }
        Self {
            seed: plan.seed,
            violations: broken.map(|reason| reason.text.clone()).collect(),
            acknowledged: checked.acknowledged,
            unknown: checked.unknown,
            reads: checked.reads,
            watched: checked.watched,
            faults: faults.into_iter().collect(),
            seconds: record.seconds,
            longest_silence_seconds: checked.longest_silence_seconds,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: Plan =
        Plan { seed: 20, length: Length::Work { writes: 4_000, faults: 20 }, writers: 8, readers: 2, watchers: 1 };

    #[test]
    fn the_seed_decides_the_faults_which_are_spread_over_the_writes() {
        let text = |seed| format!("{:?}", scenario(&Plan { seed, ..PLAN }, 3));
        assert_eq!(text(20), text(20));
        assert_ne!(text(20), text(21));
        let soak = scenario(&PLAN, 3);
        assert_eq!(soak.faults().count(), 20);
        let waits: Vec<String> = soak.arms[0].steps.iter().map(Step::to_string).collect();
        assert_eq!(waits[0], "await at least 0 writes are acknowledged");
        assert_eq!(waits.last().map(String::as_str), Some("await at least 4000 writes are acknowledged"));
        assert!(waits.contains(&"await at least 3800 writes are acknowledged".to_owned()), "{waits:?}");
    }

    #[test]
    fn a_soak_by_time_has_more_faults_than_fit() {
        let soak = scenario(&Plan { length: Length::Time(Duration::from_secs(30)), ..PLAN }, 3);
        let rests = soak.arms[0].steps.iter().filter_map(|step| match step {
            Step::Rest(rest) => Some(rest.time),
            _ => None,
        });
        assert!(soak.faults().count() > 30 && rests.sum::<Duration>() >= Duration::from_secs(60));
    }
}
