//! SIGKILL.

use std::fmt::{self, Display};

use clap::Args;
use fastrand::Rng;
use serde::{Deserialize, Serialize};

use super::kind::{Deed, FaultKind, Track};
use super::processes::{AfterCommand, Blow, CommandBlow, has_ended, start_if_ended};
use super::{Commands, Target, Victim};

/// Kills its victims at the same moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Args)]
#[serde(transparent)]
pub struct Kill {
    /// Member, node or role: apiserver-0, node-1, raft-leader, kubelets...
    #[arg(value_name = "VICTIM")]
    victim: Target,
}

const BLOW: Blow = Blow {
    done: "ended by SIGKILL",
    strike: |cluster, members| cluster.kill_all(members).err().into_iter().collect(),
    has_landed: has_ended,
    heal: start_if_ended,
};
const COMMAND_BLOW: CommandBlow =
    CommandBlow { done: "ended by SIGKILL", strike: Commands::kill, after: AfterCommand::StartAgain };

impl FaultKind for Kill {
    const FORM: &'static str = "VICTIM";
    const EFFECT: &'static str = "Kill a process (SIGKILL); healing starts it again";
    const TRACK: Track = Track::Processes;
    const WEIGHT: u32 = 2;

    fn deed(&self) -> Deed<'_> {
        self.victim.deed(&BLOW, &COMMAND_BLOW)
    }

    fn draw(random: &mut Rng) -> Self {
        Self::of(Victim::draw(random))
    }
}

impl Kill {
    /// Kills these members.
    #[must_use]
    pub fn of(victim: Victim) -> Self {
        Self { victim: Target::Members(victim) }
    }
}

impl Display for Kill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "kill {}", self.victim)
    }
}
