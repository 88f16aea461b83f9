//! A disk that takes no more bytes.

use std::fmt::{self, Display};

use clap::Args;
use fastrand::Rng;
use serde::{Deserialize, Serialize};
use squall_faults::{DiskFault, What};

use super::Victim;
use super::inside::{BreakIn, Survival};
use super::kind::{Deed, Effect, FaultKind, Track};
use super::victim::apiservers;

/// Fills the disk of an apiserver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Args)]
#[serde(transparent)]
#[command(after_help = "Example:\n  ctl fault full-disk apiserver-1")]
pub struct FullDisk {
    /// Apiservers: apiserver-0, raft-leader, raft-follower, quorum, apiservers
    #[serde(deserialize_with = "apiservers::deserialize")]
    #[arg(value_name = "VICTIM", value_parser = apiservers::parse)]
    of: Victim,
}

const UNIT: &str = "writes refused";

impl FaultKind for FullDisk {
    const FORM: &'static str = "VICTIM";
    const EFFECT: &'static str = "Fill the disk of an apiserver, which then stops; healing starts it again";
    const TRACK: Track = Track::Others;
    const WEIGHT: u32 = 1;

    fn deed(&self) -> Deed<'_> {
        let what = What::Disk(DiskFault { sync_delay_ms: 0, full: true });
        Deed::Inside(BreakIn { of: &self.of, what, unit: UNIT, survival: Survival::MayEnd })
    }

    fn draw(random: &mut Rng) -> Self {
        Self::new(if random.bool() { Victim::RaftLeader } else { Victim::RaftFollower })
    }

    fn recognise(what: &What) -> Option<Effect> {
        let What::Disk(disk) = what else { return None };
        disk.full.then(|| Effect { text: "the disk is full".to_owned(), unit: Some(UNIT) })
    }
}

impl FullDisk {
    /// Fills the disks of these apiservers.
    #[must_use]
    pub fn new(of: Victim) -> Self {
        Self { of }
    }
}

impl Display for FullDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the disk of {} is full", self.of)
    }
}
