//! SIGSTOP.

use std::fmt::{self, Display};

use clap::Args;
use fastrand::Rng;
use serde::{Deserialize, Serialize};
use squall_cluster::ProcessState;

use super::kind::{Deed, FaultKind, Track};
use super::processes::{AfterCommand, Blow, CommandBlow, each};
use super::{Commands, Target, Victim};

/// Freezes its victims: they answer nothing, and nobody closes their connections.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Args)]
#[serde(transparent)]
pub struct Pause {
    /// Member, node or role: apiserver-0, node-1, raft-leader, kubelets...
    #[arg(value_name = "VICTIM")]
    victim: Target,
}

const BLOW: Blow = Blow {
    done: "frozen",
    strike: |cluster, members| each(members, |member| cluster.pause(member)),
    has_landed: |cluster, member, _| cluster.state(member).0 == ProcessState::Paused,
    // A member that was killed meanwhile has nothing to resume.
    heal: |cluster, member| match cluster.state(member).0 {
        ProcessState::Paused => cluster.resume(member),
        ProcessState::Running | ProcessState::Stopped => Ok(()),
    },
};
const COMMAND_BLOW: CommandBlow = CommandBlow { done: "frozen", strike: Commands::pause, after: AfterCommand::Resume };

impl FaultKind for Pause {
    const FORM: &'static str = "VICTIM";
    const EFFECT: &'static str = "Freeze a process (SIGSTOP); healing resumes it (SIGCONT)";
    const TRACK: Track = Track::Processes;
    const WEIGHT: u32 = 1;

    fn deed(&self) -> Deed<'_> {
        self.victim.deed(&BLOW, &COMMAND_BLOW)
    }

    fn draw(random: &mut Rng) -> Self {
        Self::of(Victim::draw(random))
    }
}

impl Pause {
    /// Freezes these members.
    #[must_use]
    pub fn of(victim: Victim) -> Self {
        Self { victim: Target::Members(victim) }
    }
}

impl Display for Pause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pause {}", self.victim)
    }
}
