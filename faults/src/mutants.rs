//! Mutants: protections that a debug build can disable, to check that a scenario detects their absence. A release build
//! never disables one and rejects the request.

use std::sync::OnceLock;

/// A protection that can be disabled. Each variant says what happens without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    /// A controller acts again before its cache contains its own last write.
    StaleReads,
    /// The apiserver accepts the writes of a deposed leader.
    NoFencing,
    /// The apiserver accepts a conditional write whatever the current version is.
    NoConflicts,
    /// A pod gets requests before it is ready, and still gets them when it is no longer ready.
    NoReadiness,
    /// A pod that is asked to terminate stops immediately: it runs no preStop hook and does not drain.
    NoDraining,
    /// A write is acknowledged before it is on disk.
    NoSync,
    /// A member answers reads from its local state without checking that it is up to date.
    LocalReads,
    /// A kubelet does not remove the containers of deleted pods.
    KeepZombies,
    /// A controller trusts the timestamps in a pod's status to tell how long the pod has been ready.
    TrustClocks,
    /// A Deployment's new ReplicaSet is ignored until the status has observed the new generation.
    TrustStatus,
    /// Old pods are removed without waiting for new ones.
    NoFloor,
    /// A connection to a service is not retried on another pod when the first one refuses it.
    OneBackend,
}

impl Mutant {
    /// Every mutant.
    pub const ALL: [Self; 12] = [
        Self::StaleReads,
        Self::NoFencing,
        Self::NoConflicts,
        Self::NoReadiness,
        Self::NoDraining,
        Self::NoSync,
        Self::LocalReads,
        Self::KeepZombies,
        Self::TrustClocks,
        Self::TrustStatus,
        Self::NoFloor,
        Self::OneBackend,
    ];

    /// Returns the name for the command line: `stale-reads`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::StaleReads => "stale-reads",
            Self::NoFencing => "no-fencing",
            Self::NoConflicts => "no-conflicts",
            Self::NoReadiness => "no-readiness",
            Self::NoDraining => "no-draining",
            Self::NoSync => "no-sync",
            Self::LocalReads => "local-reads",
            Self::KeepZombies => "keep-zombies",
            Self::TrustClocks => "trust-clocks",
            Self::TrustStatus => "trust-status",
            Self::NoFloor => "no-floor",
            Self::OneBackend => "one-backend",
        }
    }

    /// Returns the mutant with this name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mutant| mutant.as_str() == name)
    }

    /// Whether this process runs without this protection; never in a release build.
    #[must_use]
    pub fn is_on(self) -> bool {
        cfg!(debug_assertions) && CHOSEN.get() == Some(&self)
    }
}

/// The mutant that this process runs, if any.
static CHOSEN: OnceLock<Mutant> = OnceLock::new();

/// Returns the mutant with this name. Fails for an unknown name, and in a release build.
pub fn find(name: &str) -> Result<Mutant, String> {
    let known = || Mutant::ALL.map(Mutant::as_str).join(", ");
    let mutant = Mutant::of(name).ok_or_else(|| format!("unknown mutant {name:?}; known mutants: {}", known()))?;
    match cfg!(debug_assertions) {
        true => Ok(mutant),
        false => Err("a release build cannot run a mutant; build without --release".to_owned()),
    }
}

/// Turns this process into a mutant. Fails like [`find`], or if it is a mutant already.
pub fn choose(name: &str) -> Result<(), String> {
    let mutant = find(name)?;
    tracing::warn!(mutant = name, "running with a protection disabled");
    CHOSEN.set(mutant).map_err(|_| "this process is a mutant already".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_mutants_and_no_others() {
        for mutant in Mutant::ALL {
            assert_eq!(Mutant::of(mutant.as_str()), Some(mutant));
            assert!(!mutant.is_on());
        }
        assert!(choose("no-sleep").unwrap_err().contains("stale-reads"));
    }
}
