//! A disk whose fsyncs take longer.

use std::fmt::{self, Display};
use std::time::Duration;

use clap::Args;
use fastrand::Rng;
use serde::{Deserialize, Serialize};
use squall_api::duration;
use squall_cluster::Role;
use squall_faults::{DiskFault, What};

use super::Victim;
use super::inside::{BreakIn, Survival};
use super::kind::{Deed, Effect, FaultKind, Track, milliseconds};
use super::victim::apiservers;

/// Makes each fsync of an apiserver take longer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Args)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[command(after_help = "Example:\n  ctl fault slow-disk raft-leader --sync 40ms")]
pub struct SlowDisk {
    /// Apiservers: apiserver-0, raft-leader, raft-follower, quorum, apiservers
    #[serde(deserialize_with = "apiservers::deserialize")]
    #[arg(value_name = "VICTIM", value_parser = apiservers::parse)]
    of: Victim,
    /// Extra time that each fsync takes
    #[serde(with = "duration")]
    #[arg(long, value_parser = duration::parse)]
    sync: Duration,
}

const UNIT: &str = "fsyncs held up";

impl FaultKind for SlowDisk {
    const FORM: &'static str = "{of, sync}";
    const EFFECT: &'static str = "Make each fsync of an apiserver take longer";
    const TRACK: Track = Track::Others;
    const WEIGHT: u32 = 1;

    fn deed(&self) -> Deed<'_> {
        let what = What::Disk(DiskFault { sync_delay_ms: milliseconds(self.sync), full: false });
        Deed::Inside(BreakIn { of: &self.of, what, unit: UNIT, survival: Survival::Expected })
    }

    fn draw(random: &mut Rng) -> Self {
        Self { of: Victim::All(Role::Apiserver), sync: Duration::from_millis(random.u64(5..60)) }
    }

    fn recognise(what: &What) -> Option<Effect> {
        let What::Disk(disk) = what else { return None };
        let text = format!("each fsync takes {} ms longer", disk.sync_delay_ms);
        (!disk.full).then_some(Effect { text, unit: Some(UNIT) })
    }
}

impl SlowDisk {
    /// Of the members of a role.
    #[must_use]
    pub fn new(of: Victim, sync: Duration) -> Self {
        Self { of, sync }
    }
}

impl Display for SlowDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "each fsync of {} takes {} longer", self.of, duration::format(self.sync))
    }
}
