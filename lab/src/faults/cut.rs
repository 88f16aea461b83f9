//! A link that carries nothing.

use std::fmt::{self, Display};

use clap::Args;
use fastrand::Rng;
use serde::{Deserialize, Serialize};
use squall_faults::{LinkFault, Passage, What};

use super::LinkEnd;
use super::kind::{Deed, Effect, FaultKind, Track};
use super::links::{arrow, ends_in_words};

/// Drops or resets what is sent between two ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Args)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[command(
    after_help = "Needs a cluster with --links. An end is a member (apiserver-0), a node (node-1), a role (raft-leader, controller-leader, apiservers, kubelets), any, or client: the user of the kubeconfig .squall/run/client-0.kubeconfig.\n\nExamples:\n  ctl fault cut client any\n  ctl fault cut raft-leader apiservers --for 5s\n  ctl fault cut node-1 any --reset"
)]
pub struct Cut {
    /// One end
    #[serde(default)]
    from: LinkEnd,
    /// The other end
    #[serde(default)]
    to: LinkEnd,
    /// Reset connections, instead of letting them hang
    #[serde(default)]
    #[arg(long)]
    reset: bool,
    /// Drop only what the first end sends to the second
    #[serde(default)]
    #[arg(long)]
    one_way: bool,
}

impl FaultKind for Cut {
    const FORM: &'static str = "{from, to, oneWay, reset}";
    const EFFECT: &'static str = "Drop everything between two ends, or reset their connections";
    const TRACK: Track = Track::Others;
    const WEIGHT: u32 = 2;

    fn deed(&self) -> Deed<'_> {
        let passage = if self.reset { Passage::Reset } else { Passage::Held };
        let fault = LinkFault { passage: passage.into(), one_way: self.one_way, ..LinkFault::default() };
        Deed::Link { from: &self.from, to: &self.to, fault }
    }

    fn draw(random: &mut Rng) -> Self {
        let (from, to) = LinkEnd::draw_ends(random);
        let one_way = random.bool();
        Self { from, to, reset: random.bool(), one_way }
    }

    fn recognise(what: &What) -> Option<Effect> {
        let What::Link(link) = what else { return None };
        let how = match link.passage() {
            Passage::Held => "cut",
            Passage::Reset => "reset",
            Passage::Open => return None,
        };
        Some(Effect { text: format!("{}: {how}", ends_in_words(link)), unit: None })
    }
}

impl Cut {
    /// Between two ends, both ways.
    #[must_use]
    pub fn between(from: LinkEnd, to: LinkEnd) -> Self {
        Self { from, to, reset: false, one_way: false }
    }

    /// Cuts only the direction from the first end to the second.
    #[must_use]
    pub fn one_way(self) -> Self {
        Self { one_way: true, ..self }
    }

    /// With connections that are reset instead of left hanging.
    #[must_use]
    pub fn reset(self) -> Self {
        Self { reset: true, ..self }
    }
}

impl Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.reset { "reset" } else { "cut" };
        write!(f, "{how} {} {} {}", self.from, arrow(self.one_way), self.to)
    }
}
