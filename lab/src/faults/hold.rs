//! Watch events that are held back or delayed.

use std::fmt::{self, Display};
use std::time::Duration;

use clap::Args;
use fastrand::Rng;
use serde::{Deserialize, Deserializer, Serialize, de};
use squall_api::{Kind, duration};
use squall_faults::{WatchFault, What};

use super::Victim;
use super::inside::{BreakIn, Survival};
use super::kind::{Deed, Effect, FaultKind, Track, milliseconds};
use super::victim::watchers;

/// Holds watch events back, until it is healed or for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Args)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[command(
    after_help = "Examples:\n  ctl fault hold controller-leader --kind Pod --delay 200ms\n  ctl fault hold node-1 --kind Pod --object default/kubia-x"
)]
pub struct Hold {
    /// Members with watches: controller-leader, node-1, kubelets...
    #[serde(deserialize_with = "watchers::deserialize")]
    #[arg(value_name = "VICTIM", value_parser = watchers::parse)]
    of: Victim,
    /// Kind of the objects: Pod [default: any]
    #[serde(default, deserialize_with = "known_kind")]
    #[arg(long, default_value = "", hide_default_value = true, value_parser = parse_kind)]
    kind: String,
    /// One object: default/kubia [default: any]
    #[serde(default)]
    #[arg(long, default_value = "", hide_default_value = true)]
    object: String,
    /// Delay of each event; events follow each other [default: until healed]
    #[serde(default, with = "duration")]
    #[arg(long, default_value = "0", hide_default_value = true, value_parser = duration::parse)]
    delay: Duration,
}

fn parse_kind(word: &str) -> Result<String, String> {
    match word.is_empty() || Kind::ALL.iter().any(|known| known.info().kind == word) {
        true => Ok(word.to_owned()),
        false => Err(format!("unknown kind {word:?}; a kind is like Pod or EndpointSlice")),
    }
}

fn known_kind<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    parse_kind(&String::deserialize(deserializer)?).map_err(de::Error::custom)
}

const UNIT: &str = "events held back";

impl FaultKind for Hold {
    const FORM: &'static str = "{of, kind, object, delay}";
    const EFFECT: &'static str = "Hold back or delay the watch events of a member";
    const TRACK: Track = Track::Others;
    const WEIGHT: u32 = 1;

    fn deed(&self) -> Deed<'_> {
        let (kind, object, delay_ms) = (self.kind.clone(), self.object.clone(), milliseconds(self.delay));
        let what = What::Watch(WatchFault { kind, object, delay_ms });
        Deed::Inside(BreakIn { of: &self.of, what, unit: UNIT, survival: Survival::Expected })
    }

    fn draw(random: &mut Rng) -> Self {
        let delay = Duration::from_millis(random.u64(10..150));
        Self { of: Victim::ControllerLeader, kind: "Pod".to_owned(), object: String::new(), delay }
    }

    fn recognise(what: &What) -> Option<Effect> {
        let What::Watch(watch) = what else { return None };
        let how = if watch.delay_ms == 0 { "held back".to_owned() } else { format!("{} ms late", watch.delay_ms) };
        let text = format!("events of {} {} are {how}", or_any(&watch.kind), or_any(&watch.object));
        Some(Effect { text, unit: Some(UNIT) })
    }
}

fn or_any(word: &str) -> &str {
    if word.is_empty() { "any" } else { word }
}

impl Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} sees no events of {} {}", self.of, or_any(&self.kind), or_any(&self.object))
    }
}
