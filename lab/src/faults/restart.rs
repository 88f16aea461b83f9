//! SIGTERM, and a start at once.

use std::fmt::{self, Display};

use clap::Args;
use fastrand::Rng;
use serde::{Deserialize, Serialize};

use super::Victim;
use super::kind::{Deed, FaultKind, Track};
use super::processes::{Blow, each};

/// Restarts its victims, one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Args)]
#[serde(transparent)]
pub struct Restart {
    /// Member, node or role: apiserver-0, node-1, raft-leader, kubelets...
    #[arg(value_name = "VICTIM")]
    victim: Victim,
}

const BLOW: Blow = Blow {
    done: "ended by SIGTERM and restarted",
    strike: |cluster, members| each(members, |member| cluster.restart(member)),
    has_landed: |cluster, member, pid_before| cluster.state(member).1 != pid_before,
    heal: |_, _| Ok(()),
};

impl FaultKind for Restart {
    const FORM: &'static str = "VICTIM";
    const EFFECT: &'static str = "Ask a process to end (SIGTERM), and start it again at once";
    const TRACK: Track = Track::Processes;
    const WEIGHT: u32 = 1;

    fn deed(&self) -> Deed<'_> {
        Deed::Process(&BLOW, &self.victim)
    }

    fn draw(random: &mut Rng) -> Self {
        Self::of(Victim::draw(random))
    }
}

impl Restart {
    /// Restarts these members.
    #[must_use]
    pub fn of(victim: Victim) -> Self {
        Self { victim }
    }
}

impl Display for Restart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "restart {}", self.victim)
    }
}
