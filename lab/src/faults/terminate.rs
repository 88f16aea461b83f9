//! SIGTERM.

use std::fmt::{self, Display};

use clap::Args;
use fastrand::Rng;
use serde::{Deserialize, Serialize};

use super::kind::{Deed, FaultKind, Track};
use super::processes::{AfterCommand, Blow, CommandBlow, each, has_ended, start_if_ended};
use super::{Commands, Target, Victim};

/// Asks its victims to end, one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Args)]
#[serde(transparent)]
pub struct Terminate {
    /// Member, node or role: apiserver-0, node-1, raft-leader, kubelets...
    #[arg(value_name = "VICTIM")]
    victim: Target,
}

const BLOW: Blow = Blow {
    done: "ended by SIGTERM",
    strike: |cluster, members| each(members, |member| cluster.stop(member)),
    has_landed: has_ended,
    heal: start_if_ended,
};
const COMMAND_BLOW: CommandBlow =
    CommandBlow { done: "ended by SIGTERM", strike: Commands::terminate, after: AfterCommand::StartAgain };

impl FaultKind for Terminate {
    const FORM: &'static str = "VICTIM";
    const EFFECT: &'static str = "Ask a process to end (SIGTERM); healing starts it again";
    const TRACK: Track = Track::Processes;
    const WEIGHT: u32 = 1;

    fn deed(&self) -> Deed<'_> {
        self.victim.deed(&BLOW, &COMMAND_BLOW)
    }

    fn draw(random: &mut Rng) -> Self {
        Self::of(Victim::draw(random))
    }
}

impl Terminate {
    /// Of members.
    #[must_use]
    pub fn of(victim: Victim) -> Self {
        Self { victim: Target::Members(victim) }
    }
}

impl Display for Terminate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "terminate {}", self.victim)
    }
}
