//! SIGKILL, and a torn log: a power cut in the middle of a write.

use std::fmt::{self, Display};

use clap::Args;
use fastrand::Rng;
use serde::{Deserialize, Serialize};

use super::Victim;
use super::kind::{Deed, FaultKind, Track};
use super::processes::{Blow, each, has_ended, start_if_ended};
use super::victim::apiservers;

/// Kills apiservers, and leaves something half written at the end of their logs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Args)]
#[serde(transparent)]
pub struct Tear {
    /// Apiservers: apiserver-0, raft-leader, raft-follower, quorum, apiservers
    #[serde(deserialize_with = "apiservers::deserialize")]
    #[arg(value_name = "VICTIM", value_parser = apiservers::parse)]
    victim: Victim,
}

const BLOW: Blow = Blow {
    done: "ended by SIGKILL, its log torn",
    strike: |cluster, members| {
        let killed = cluster.kill_all(members).err();
        killed.into_iter().chain(each(members, |member| cluster.tear_log(member))).collect()
    },
    has_landed: has_ended,
    heal: start_if_ended,
};

impl FaultKind for Tear {
    const FORM: &'static str = "VICTIM";
    const EFFECT: &'static str = "Kill an apiserver and leave a half-written record at the end of its log";
    const TRACK: Track = Track::Processes;
    const WEIGHT: u32 = 1;

    fn deed(&self) -> Deed<'_> {
        Deed::Process(&BLOW, &self.victim)
    }

    fn draw(random: &mut Rng) -> Self {
        Self { victim: Victim::draw_apiservers(random) }
    }
}

impl Display for Tear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "kill {} and tear its log", self.victim)
    }
}
