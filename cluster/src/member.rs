//! The members of a cluster and their names.

use std::fmt::{self, Display};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The role of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Carries the connections between the others, and can break them.
    Links,
    /// Stores and serves objects.
    Apiserver,
    /// Runs the controllers.
    ControllerManager,
    /// Runs the containers of a node.
    Runtime,
    /// Manages the pods of a node.
    Kubelet,
}

impl Role {
    /// Every role, in the order in which members are started.
    pub const ALL: [Self; 5] = [Self::Links, Self::Apiserver, Self::ControllerManager, Self::Runtime, Self::Kubelet];

    /// Returns the word for the role in a member's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Links => "links",
            Self::Apiserver => "apiserver",
            Self::ControllerManager => "controller-manager",
            Self::Runtime => "runtime",
            Self::Kubelet => "kubelet",
        }
    }
}

/// The name of a member: `apiserver-0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct MemberName {
    /// The first part of the name.
    pub role: Role,
    /// The number within the role, counted from 0.
    pub index: usize,
}

impl Display for MemberName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.role.as_str(), self.index)
    }
}

impl From<MemberName> for String {
    fn from(name: MemberName) -> Self {
        name.to_string()
    }
}

impl TryFrom<String> for MemberName {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl FromStr for MemberName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let invalid = || {
            format!(
                "{text:?} is not the name of a member; use a name like apiserver-0, controller-manager-1 or kubelet-2"
            )
        };
        let (role, index) = text.rsplit_once('-').ok_or_else(invalid)?;
        let role = Role::ALL.into_iter().find(|known| known.as_str() == role).ok_or_else(invalid)?;
        Ok(Self { role, index: index.parse().map_err(|_| invalid())? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for text in ["apiserver-0", "controller-manager-1", "runtime-2", "kubelet-12"] {
            assert_eq!(text.parse::<MemberName>().unwrap().to_string(), text);
        }
        for bad in ["", "apiserver", "apiserver-x", "foo-1", "-1"] {
            assert!(bad.parse::<MemberName>().is_err(), "{bad}");
        }
    }
}
