//! A link that is late, or carries little.

use std::fmt::{self, Display};
use std::time::Duration;

use clap::Args;
use fastrand::Rng;
use serde::{Deserialize, Serialize};
use squall_api::duration;
use squall_faults::{LinkFault, Passage, What};

use super::LinkEnd;
use super::kind::{Deed, Effect, FaultKind, Track, milliseconds};
use super::links::{arrow, ends_in_words};

/// Delays what is sent between two ends, or limits its rate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Args)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[command(
    after_help = "Needs a cluster with --links.\n\nExample:\n  ctl fault slow controller-leader any --delay 100ms --jitter 50ms"
)]
pub struct Slow {
    /// One end
    #[serde(default)]
    from: LinkEnd,
    /// The other end
    #[serde(default)]
    to: LinkEnd,
    /// Delay of everything that is sent
    #[serde(default, with = "duration")]
    #[arg(long, default_value = "0", value_parser = duration::parse)]
    delay: Duration,
    /// Random extra delay, up to this much
    #[serde(default, with = "duration")]
    #[arg(long, default_value = "0", value_parser = duration::parse)]
    jitter: Duration,
    /// Limit of bytes per second; 0 is no limit
    #[serde(default)]
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    bytes_per_second: u64,
    /// Slow only what the first end sends to the second
    #[serde(default)]
    #[arg(long)]
    one_way: bool,
}

impl FaultKind for Slow {
    const FORM: &'static str = "{from, to, delay, jitter, bytesPerSecond, oneWay}";
    const EFFECT: &'static str = "Delay what is sent between two ends, or limit its rate";
    const TRACK: Track = Track::Others;
    const WEIGHT: u32 = 2;

    fn deed(&self) -> Deed<'_> {
        let fault = LinkFault {
            delay_ms: milliseconds(self.delay),
            jitter_ms: milliseconds(self.jitter),
            bytes_per_second: self.bytes_per_second,
            one_way: self.one_way,
            ..LinkFault::default()
        };
        Deed::Link { from: &self.from, to: &self.to, fault }
    }

    fn draw(random: &mut Rng) -> Self {
        let (from, to) = LinkEnd::draw_ends(random);
        let one_way = random.bool();
        let [delay, jitter] = [5..200, 0..100].map(|range| Duration::from_millis(random.u64(range)));
        Self { from, to, delay, jitter, bytes_per_second: 0, one_way }
    }

    fn recognise(what: &What) -> Option<Effect> {
        let What::Link(link) = what else { return None };
        if link.passage() != Passage::Open {
            return None;
        }
        let mut parts = Vec::new();
        if link.delay_ms > 0 {
            parts.push(format!("{} ms late", link.delay_ms));
        }
        if link.jitter_ms > 0 {
            parts.push(format!("up to {} ms of jitter", link.jitter_ms));
        }
        if link.bytes_per_second > 0 {
            parts.push(format!("{} bytes a second", link.bytes_per_second));
        }
        Some(Effect { text: format!("{}: {}", ends_in_words(link), parts.join(", ")), unit: None })
    }
}

impl Display for Slow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "slow down {} {} {}", self.from, arrow(self.one_way), self.to)
    }
}
