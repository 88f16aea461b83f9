//! What can be broken, each family in a file of its own: processes, links, disks, clocks, watches. Each fault leaves a
//! receipt that says whether it bit.

pub mod by_hand;
mod inside;
mod links;
mod processes;
mod victims;

use std::fmt::{self, Display};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use squall_faults::{ClockFault, DiskFault, LinkFault, Passage, WatchFault, What};

use processes::Blow;
pub use victims::Scene;

use squall_referee::evidence::Receipt;

use crate::scenario::{Place, Victim};

/// A fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Fault {
    /// SIGKILL; healed by starting it again.
    Kill(Victim),
    /// SIGTERM; healed by starting it again.
    Terminate(Victim),
    /// SIGSTOP; healed by SIGCONT.
    Pause(Victim),
    /// SIGTERM, and started again at once.
    Restart(Victim),
    /// SIGKILL, and the end of its log is torn off as a power cut may do; healed by starting it again.
    Tear(Victim),
    /// Nothing comes through a link.
    Cut {
        /// Between this one
        #[serde(default = "any")]
        from: Place,
        /// and that one.
        #[serde(default = "any")]
        to: Place,
        /// Connections are broken off, instead of silent.
        #[serde(default)]
        reset: bool,
        /// Only what `from` sends to `to`.
        #[serde(default)]
        one_way: bool,
    },
    /// A link is slow.
    Slow {
        /// Between this one
        #[serde(default = "any")]
        from: Place,
        /// and that one.
        #[serde(default = "any")]
        to: Place,
        /// What is sent comes this much later,
        #[serde(default, with = "squall_api::duration")]
        delay: Duration,
        /// and by a random part of this later still,
        #[serde(default, with = "squall_api::duration")]
        jitter: Duration,
        /// and no more than this in a second; 0: no limit.
        #[serde(default)]
        bytes_per_second: u64,
        /// Only what `from` sends to `to`.
        #[serde(default)]
        one_way: bool,
    },
    /// Each fsync takes this much longer.
    SlowDisk {
        /// Of this apiserver.
        of: Victim,
        /// How much longer.
        #[serde(with = "squall_api::duration")]
        sync: Duration,
    },
    /// No byte more fits on a disk.
    FullDisk(Victim),
    /// A clock is wrong.
    Clock {
        /// Whose.
        of: Victim,
        /// By how much: `5s`, `-500ms`.
        skew: Skew,
    },
    /// What a watch is told comes late.
    Hold {
        /// Whose watches.
        of: Victim,
        /// Of which kind: `Pod`; empty: any.
        #[serde(default)]
        kind: String,
        /// Of which object: `default/kubia`; empty: any.
        #[serde(default)]
        object: String,
        /// How much later; zero: when the fault is healed.
        #[serde(default, with = "squall_api::duration")]
        delay: Duration,
    },
}

const fn any() -> Place {
    Place::Any
}

/// By how much a clock is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Skew {
    /// In milliseconds; below zero: it is late.
    pub milliseconds: i64,
}

impl TryFrom<String> for Skew {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (sign, rest) = text.strip_prefix('-').map_or((1, text.as_str()), |rest| (-1, rest));
        let span = squall_api::duration::parse(rest)?;
        let milliseconds = i64::try_from(span.as_millis()).map_err(|_| format!("{text:?} is too much"))?;
        Ok(Self { milliseconds: sign * milliseconds })
    }
}

impl From<Skew> for String {
    fn from(skew: Skew) -> Self {
        let span = squall_api::duration::format(Duration::from_millis(skew.milliseconds.unsigned_abs()));
        format!("{}{span}", if skew.milliseconds < 0 { "-" } else { "" })
    }
}

/// Nobody was there to be broken: another fault has ended them, or they are only starting.
#[derive(Debug, thiserror::Error)]
#[error("{0} does not run")]
pub struct NotThere(String);

/// A fault in force.
pub enum Active {
    /// Of processes.
    Processes(processes::Broken),
    /// Of links: one of them has to bite.
    Links(Vec<inside::Switched>),
    /// Inside of members: all of them have to.
    Inside(Vec<inside::Switched>),
}

/// What the fault is called when it is shown: `kill raft-leader`.
impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arrow = |one_way: &bool| if *one_way { "→" } else { "↔" };
        match self {
            Self::Kill(victim) => write!(f, "kill {victim}"),
            Self::Terminate(victim) => write!(f, "terminate {victim}"),
            Self::Pause(victim) => write!(f, "pause {victim}"),
            Self::Restart(victim) => write!(f, "restart {victim}"),
            Self::Tear(victim) => write!(f, "kill {victim} and tear its log"),
            Self::Cut { from, to, reset, one_way } => {
                let how = if *reset { "break off" } else { "cut" };
                write!(f, "{how} {from} {} {to}", arrow(one_way))
            }
            Self::Slow { from, to, one_way, .. } => write!(f, "slow down {from} {} {to}", arrow(one_way)),
            Self::SlowDisk { of, sync } => {
                write!(f, "each fsync of {of} takes {} longer", squall_api::duration::format(*sync))
            }
            Self::FullDisk(victim) => write!(f, "the disk of {victim} is full"),
            Self::Clock { of, skew } => write!(f, "the clock of {of} is wrong by {}", String::from(*skew)),
            Self::Hold { of, kind, object, .. } => {
                let what = [kind.as_str(), object.as_str()].map(|word| if word.is_empty() { "any" } else { word });
                write!(f, "{of} is not told of {} {}", what[0], what[1])
            }
        }
    }
}

/// What a fault does, by its family.
enum Deed<'a> {
    /// To processes.
    Process(Blow, &'a Victim),
    /// To the links between one and another.
    Link(&'a Place, &'a Place, LinkFault),
    /// What processes do in themselves.
    Inside(&'a Victim, What),
}

impl Fault {
    /// Breaks it.
    pub async fn inject(&self, name: &str, scene: &Scene<'_>) -> anyhow::Result<Active> {
        match self.deed() {
            Deed::Process(blow, victim) => processes::inject(blow, victim, scene).await.map(Active::Processes),
            Deed::Link(from, to, link) => links::inject(from, to, &link, name, scene).await.map(Active::Links),
            Deed::Inside(victim, what) => inside::inject(victim, &what, name, scene).await.map(Active::Inside),
        }
    }

    fn deed(&self) -> Deed<'_> {
        match self {
            Self::Kill(victim) => Deed::Process(Blow::Kill, victim),
            Self::Terminate(victim) => Deed::Process(Blow::Terminate, victim),
            Self::Pause(victim) => Deed::Process(Blow::Pause, victim),
            Self::Restart(victim) => Deed::Process(Blow::Restart, victim),
            Self::Tear(victim) => Deed::Process(Blow::Tear, victim),
            Self::Cut { from, to, reset, one_way } => {
                let passage = if *reset { Passage::Reset } else { Passage::Held };
                Deed::Link(from, to, LinkFault { passage: passage.into(), one_way: *one_way, ..LinkFault::default() })
            }
            Self::Slow { from, to, delay, jitter, bytes_per_second, one_way } => {
                let link = LinkFault {
                    delay_ms: milliseconds(*delay),
                    jitter_ms: milliseconds(*jitter),
                    bytes_per_second: *bytes_per_second,
                    one_way: *one_way,
                    ..LinkFault::default()
                };
                Deed::Link(from, to, link)
            }
            Self::SlowDisk { of, sync } => {
                Deed::Inside(of, What::Disk(DiskFault { sync_delay_ms: milliseconds(*sync), full: false }))
            }
            Self::FullDisk(of) => Deed::Inside(of, What::Disk(DiskFault { sync_delay_ms: 0, full: true })),
            Self::Clock { of, skew } => Deed::Inside(of, What::Clock(ClockFault { skew_ms: skew.milliseconds })),
            Self::Hold { of, kind, object, delay } => {
                let (kind, object, delay_ms) = (kind.clone(), object.clone(), milliseconds(*delay));
                Deed::Inside(of, What::Watch(WatchFault { kind, object, delay_ms }))
            }
        }
    }
}

/// At least one: zero would mean something else.
fn milliseconds(span: Duration) -> u64 {
    if span.is_zero() { 0 } else { u64::try_from(span.as_millis()).unwrap_or(u64::MAX).max(1) }
}

impl Active {
    /// Mends it, and says what it has done.
    pub async fn heal(self, scene: &Scene<'_>) -> anyhow::Result<Receipt> {
        match self {
            Self::Processes(broken) => processes::heal(broken, scene).await,
            Self::Links(switched) => inside::heal(switched, scene, |bits| bits.contains(&true)).await,
            Self::Inside(switched) => inside::heal(switched, scene, |bits| !bits.contains(&false)).await,
        }
    }
}
