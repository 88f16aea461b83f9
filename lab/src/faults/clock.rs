//! A clock that is wrong.

use std::fmt::{self, Display};
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use fastrand::Rng;
use serde::{Deserialize, Serialize};
use squall_api::duration;
use squall_cluster::Role;
use squall_faults::{ClockFault, What};

use super::Victim;
use super::inside::{BreakIn, Survival};
use super::kind::{Deed, Effect, FaultKind, Track};

/// Skews the clock of members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Args)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[command(after_help = "Example:\n  ctl fault clock kubelets -1h")]
pub struct Clock {
    /// Member, node or role: apiserver-0, node-1, raft-leader, kubelets...
    #[arg(value_name = "VICTIM")]
    of: Victim,
    /// Skew: 5s, or -1h
    #[arg(allow_hyphen_values = true)]
    skew: Skew,
}

/// A skew of a clock in milliseconds; a negative one makes it late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct Skew(i64);

impl FromStr for Skew {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (sign, rest) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
        let milliseconds = i64::try_from(duration::parse(rest)?.as_millis());
        milliseconds.map(|milliseconds| Self(sign * milliseconds)).map_err(|_| format!("{text:?} is out of range"))
    }
}

impl TryFrom<String> for Skew {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Skew> for String {
    fn from(skew: Skew) -> Self {
        let size = duration::format(Duration::from_millis(skew.0.unsigned_abs()));
        format!("{}{size}", if skew.0 < 0 { "-" } else { "" })
    }
}

const UNIT: &str = "wrong times given";

impl FaultKind for Clock {
    const FORM: &'static str = "{of, skew}";
    const EFFECT: &'static str = "Skew the clock of a member, by 5s or -1h";
    const TRACK: Track = Track::Others;
    const WEIGHT: u32 = 1;

    fn deed(&self) -> Deed<'_> {
        let what = What::Clock(ClockFault { skew_ms: self.skew.0 });
        Deed::Inside(BreakIn { of: &self.of, what, unit: UNIT, survival: Survival::Expected })
    }

    fn draw(random: &mut Rng) -> Self {
        Self { of: Victim::All(Role::Kubelet), skew: Skew(random.i64(-5_000..5_000)) }
    }

    fn recognise(what: &What) -> Option<Effect> {
        let What::Clock(clock) = what else { return None };
        Some(Effect { text: format!("the clock is wrong by {} ms", clock.skew_ms), unit: Some(UNIT) })
    }
}

impl Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the clock of {} is wrong by {}", self.of, String::from(self.skew))
    }
}
