//! The levels of callers, and how much each may take.

use squall_daemon::identity::Caller;

/// Callers that share seats and room (Kubernetes: a priority level).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Administrators, controllers and nodes.
    System,
    /// Other users.
    Users,
    /// Callers without a certificate.
    Anonymous,
}

/// How much a level, or one of its callers, may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Requests whose answers have not been read to their end.
    pub seats: usize,
    /// Bytes of answers that wait to be read.
    pub bytes: usize,
}

impl Level {
    /// Every level, in the order of their places.
    pub const ALL: [Self; 3] = [Self::System, Self::Users, Self::Anonymous];

    /// Returns the level of a caller; `None` for a member, which is never refused: its peers need it.
    pub fn of(caller: &Caller) -> Option<Self> {
        if caller.is_member() {
            return None;
        }
        let is_system = caller.is_master() || caller.node().is_some() || caller.is_in("system:controllers");
        Some(match caller.is_known() {
            _ if is_system => Self::System,
            true => Self::Users,
            false => Self::Anonymous,
        })
    }

    /// Returns how much one caller of this level may take.
    pub const fn each(self) -> Limit {
        match self {
            Self::System => Limit { seats: 16_384, bytes: 96 << 20 },
            Self::Users => Limit { seats: 1_024, bytes: 32 << 20 },
            Self::Anonymous => Limit { seats: 64, bytes: 4 << 20 },
        }
    }

    /// Returns how much all callers of this level may take together.
    pub const fn all(self) -> Limit {
        match self {
            Self::System => Limit { seats: 32_768, bytes: 128 << 20 },
            Self::Users => Limit { seats: 4_096, bytes: 64 << 20 },
            Self::Anonymous => self.each(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_caller_has_its_level() {
        for (user, groups, level) in [
            ("kube-apiserver", &["system:masters"][..], None),
            ("admin", &["system:masters"], Some(Level::System)),
            ("system:node:node-0", &["system:nodes"], Some(Level::System)),
            ("system:kube-controller-manager", &["system:controllers"], Some(Level::System)),
            ("kube-apiserver", &[], Some(Level::Users)),
            ("ann", &["viewers"], Some(Level::Users)),
        ] {
            assert_eq!(Level::of(&Caller::new(user, groups)), level, "{user}");
        }
        assert_eq!(Level::of(&Caller::anonymous()), Some(Level::Anonymous));
        for level in Level::ALL {
            assert!(level.each().seats <= level.all().seats && level.each().bytes <= level.all().bytes);
        }
    }
}
