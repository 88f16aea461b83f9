//! Whom a fault is for: members by name or by what they do at that moment, clients by name.

use std::fmt::{self, Display};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use squall_cluster::{MemberName, Role};

/// Whom a fault is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Victim {
    /// This one.
    Member(MemberName),
    /// A kubelet and its runtime: `node-1`.
    Node(usize),
    /// The apiserver that leads.
    RaftLeader,
    /// The first apiserver that does not lead.
    RaftFollower,
    /// The controller-manager that leads.
    ControllerLeader,
    /// The first controller-manager that does not lead.
    ControllerStandby,
    /// All of a role.
    All(Role),
    /// Apiservers, as many as a quorum needs, the leader among them.
    Quorum,
    /// A command that was started under this name.
    Client(String),
}

/// What can be said beside the names of members.
const WORDS: [(&str, Victim); 8] = [
    ("raft-leader", Victim::RaftLeader),
    ("raft-follower", Victim::RaftFollower),
    ("controller-leader", Victim::ControllerLeader),
    ("controller-standby", Victim::ControllerStandby),
    ("apiservers", Victim::All(Role::Apiserver)),
    ("controller-managers", Victim::All(Role::ControllerManager)),
    ("kubelets", Victim::All(Role::Kubelet)),
    ("quorum", Victim::Quorum),
];

impl Display for Victim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Member(member) => member.fmt(f),
            Self::Node(index) => write!(f, "node-{index}"),
            Self::Client(name) => write!(f, "command {name}"),
            other => {
                let word = WORDS.iter().find(|(_, victim)| victim == other).map_or("", |(word, _)| word);
                f.write_str(word)
            }
        }
    }
}

impl From<Victim> for String {
    fn from(victim: Victim) -> Self {
        victim.to_string()
    }
}

impl TryFrom<String> for Victim {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl FromStr for Victim {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some((_, victim)) = WORDS.iter().find(|(word, _)| *word == text) {
            return Ok(victim.clone());
        }
        if let Some(name) = text.strip_prefix("command ") {
            return Ok(Self::Client(name.to_owned()));
        }
        if let Some(index) = text.strip_prefix("node-").and_then(|index| index.parse().ok()) {
            return Ok(Self::Node(index));
        }
        text.parse().map(Self::Member).map_err(|_| {
            let words: Vec<&str> = WORDS.iter().map(|(word, _)| *word).collect();
            format!(
                "{text:?} is nobody: a victim is a member (apiserver-0), a node (node-1), one of {}, or a command (command NAME)",
                words.join(", ")
            )
        })
    }
}

/// One end of a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Place {
    /// Whoever runs the commands of this arm.
    Client,
    /// Anybody.
    Any,
    /// A member.
    Victim(Victim),
}

impl Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client => f.write_str("client"),
            Self::Any => f.write_str("any"),
            Self::Victim(victim) => victim.fmt(f),
        }
    }
}

impl From<Place> for String {
    fn from(place: Place) -> Self {
        place.to_string()
    }
}

impl TryFrom<String> for Place {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.as_str() {
            "client" => Ok(Self::Client),
            "any" => Ok(Self::Any),
            other => other.parse().map(Self::Victim),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn victims_read_back() {
        for text in ["apiserver-1", "node-2", "raft-leader", "quorum", "kubelets", "command updater"] {
            assert_eq!(text.parse::<Victim>().unwrap().to_string(), text);
        }
        assert!("the-moon".parse::<Victim>().unwrap_err().contains("raft-leader"));
        assert_eq!(Place::try_from("client".to_owned()).unwrap(), Place::Client);
    }
}
