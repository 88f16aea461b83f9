//! Protections that can be left out, to see whether a scenario notices. Never in a release build: there none is ever left out,
//! and asking for it is an error.

use std::sync::OnceLock;

/// A protection that is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    /// A controller decides again before its cache shows its own last write.
    StaleReads,
    /// A deposed leader's writes are taken.
    NoFencing,
    /// A write on condition of a version is taken whatever the version is.
    NoConflicts,
    /// A pod gets requests before it says that it is ready, and goes on to when it says that it is not.
    NoReadiness,
    /// A pod that is asked to end stops at once, and is not taken out of its services before.
    NoDraining,
    /// A write is acknowledged before it is on the disk.
    NoSync,
    /// A read is answered from what a member has, whether or not it still leads.
    LocalReads,
    /// A kubelet leaves pods alone that are gone.
    KeepZombies,
    /// For how long a pod has been ready is believed to whoever says so.
    TrustClocks,
    /// A Deployment's new ReplicaSet is believed to be there only when the status says that it was seen.
    TrustStatus,
    /// Old pods are given up without waiting for new ones.
    NoFloor,
    /// A connection to a service that its pod does not take is not offered to another pod.
    OneBackend,
}

impl Mutant {
    /// All of them.
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

    /// Its name.
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

    /// The mutant of a name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mutant| mutant.as_str() == name)
    }

    /// Whether this process leaves this protection out.
    #[must_use]
    pub fn is_on(self) -> bool {
        cfg!(debug_assertions) && CHOSEN.get() == Some(&self)
    }
}

/// The one that this process is.
static CHOSEN: OnceLock<Mutant> = OnceLock::new();

/// The mutant of a name, if this build can be one. The error says why not.
pub fn find(name: &str) -> Result<Mutant, String> {
    let known = || Mutant::ALL.map(Mutant::as_str).join(", ");
    let mutant = Mutant::of(name).ok_or_else(|| format!("there is no mutant {name:?}; there are {}", known()))?;
    match cfg!(debug_assertions) {
        true => Ok(mutant),
        false => Err("this is a release build: no protection can be left out; build without --release".to_owned()),
    }
}

/// Makes this process a mutant. The error says why it cannot be.
pub fn choose(name: &str) -> Result<(), String> {
    let mutant = find(name)?;
    tracing::warn!(mutant = name, "a protection is left out on purpose");
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
