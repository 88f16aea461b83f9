//! The victims of faults: members by name or by role, commands by name; and the ends of links.

use std::fmt::{self, Display};
use std::str::FromStr;

use fastrand::Rng;
use serde::{Deserialize, Serialize};
use squall_cluster::{MemberName, Role};

use super::kind::Deed;
use super::processes::{Blow, CommandBlow};

/// Members, by name or by the role that they have at the moment of the fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Victim {
    /// One member: `apiserver-0`.
    Member(MemberName),
    /// The kubelet of a node and its runtime: `node-1`.
    Node(usize),
    /// The apiserver that leads when the fault starts.
    RaftLeader,
    /// The first apiserver that does not lead.
    RaftFollower,
    /// The controller-manager that leads when the fault starts.
    ControllerLeader,
    /// The first controller-manager that does not lead.
    ControllerStandby,
    /// Every member of a role.
    All(Role),
    /// As many apiservers as a quorum needs, the leader among them.
    Quorum,
}

/// The words for victims beside names.
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

impl Victim {
    /// The roles that its members have.
    fn roles(&self) -> &'static [Role] {
        match self {
            Self::Node(_) => &[Role::Kubelet, Role::Runtime],
            Self::RaftLeader | Self::RaftFollower | Self::Quorum => &[Role::Apiserver],
            Self::ControllerLeader | Self::ControllerStandby => &[Role::ControllerManager],
            Self::All(role) | Self::Member(MemberName { role, .. }) => match role {
                Role::Links => &[Role::Links],
                Role::Apiserver => &[Role::Apiserver],
                Role::ControllerManager => &[Role::ControllerManager],
                Role::Runtime => &[Role::Runtime],
                Role::Kubelet => &[Role::Kubelet],
            },
        }
    }

    /// Draws a victim whose processes a random run may end or freeze.
    pub fn draw(random: &mut Rng) -> Self {
        let victims = [
            Self::RaftLeader,
            Self::RaftFollower,
            Self::Quorum,
            Self::All(Role::Apiserver),
            Self::ControllerLeader,
            Self::ControllerStandby,
            Self::All(Role::ControllerManager),
            Self::Node(random.usize(..3)),
            Self::All(Role::Kubelet),
        ];
        victims[random.usize(..victims.len())].clone()
    }

    /// Draws apiservers whose data a random run may damage.
    pub fn draw_apiservers(random: &mut Rng) -> Self {
        let victims = [Self::RaftLeader, Self::RaftFollower, Self::Quorum];
        victims[random.usize(..victims.len())].clone()
    }
}

/// Refuses a victim of another role. `wanted` says in words which roles a fault can break.
fn of_role(text: &str, roles: &[Role], wanted: &str) -> Result<Victim, String> {
    let victim: Victim = text.parse()?;
    // Of a node, the kubelet is broken.
    match victim.roles().first().is_some_and(|role| roles.contains(role)) {
        true => Ok(victim),
        false => Err(format!("{text:?} is the wrong sort of victim: this fault breaks {wanted}")),
    }
}

/// Makes a module that reads victims of some roles only.
macro_rules! sort {
    ($(#[$doc:meta])* $name:ident, $roles:expr, $wanted:literal) => {
        $(#[$doc])*
        pub mod $name {
            use serde::{Deserialize, Deserializer, de};
            use squall_cluster::Role;

            use super::Victim;

            const ROLES: &[Role] = $roles;

            pub fn parse(text: &str) -> Result<Victim, String> {
                super::of_role(text, ROLES, $wanted)
            }

            pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Victim, D::Error> {
                parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
            }
        }
    };
}

sort! {
    /// Members that have a disk to break.
    apiservers, &[Role::Apiserver], "apiservers"
}
sort! {
    /// Members that follow the store with watches.
    watchers, &[Role::ControllerManager, Role::Kubelet], "controller-managers and kubelets"
}
/// Reads members at the end of a link.
fn linked(text: &str) -> Result<Victim, String> {
    const ROLES: &[Role] = &[Role::Apiserver, Role::ControllerManager, Role::Kubelet];
    of_role(text, ROLES, "links of apiservers, controller-managers and nodes")
}

impl Display for Victim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Member(member) => member.fmt(f),
            Self::Node(index) => write!(f, "node-{index}"),
            Self::All(_)
            | Self::Quorum
            | Self::RaftLeader
            | Self::RaftFollower
            | Self::ControllerLeader
            | Self::ControllerStandby => {
                let word = WORDS.iter().find(|(_, victim)| victim == self).map_or("", |(word, _)| word);
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
        if let Some(index) = text.strip_prefix("node-").and_then(|index| index.parse().ok()) {
            return Ok(Self::Node(index));
        }
        text.parse().map(Self::Member).map_err(|_| {
            let words: Vec<&str> = WORDS.iter().map(|(word, _)| *word).collect();
            format!(
                "unknown victim {text:?}: name a member (apiserver-0), a node (node-1) or one of {}",
                words.join(", ")
            )
        })
    }
}

/// The victim of a signal: members, or a command that the arm started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Target {
    /// Members.
    Members(Victim),
    /// A command, by the name that its step gave it: `command updater`.
    Command(String),
}

impl Target {
    /// The work of signalling it.
    pub fn deed(&self, blow: &'static Blow, command_blow: &'static CommandBlow) -> Deed<'_> {
        match self {
            Self::Members(victim) => Deed::Process(blow, victim),
            Self::Command(name) => Deed::Command(command_blow, name),
        }
    }
}

impl Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Members(victim) => victim.fmt(f),
            Self::Command(name) => write!(f, "command {name}"),
        }
    }
}

impl From<Target> for String {
    fn from(target: Target) -> Self {
        target.to_string()
    }
}

impl TryFrom<String> for Target {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix("command ") {
            Some(name) => Ok(Self::Command(name.to_owned())),
            None => text.parse().map(Self::Members).map_err(|error| format!("{error}; or a command (command NAME)")),
        }
    }
}

/// One end of a link.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum LinkEnd {
    /// The client that runs the commands of the arm.
    Client,
    /// Every end.
    #[default]
    Any,
    /// Members.
    Victim(Victim),
}

impl LinkEnd {
    /// Draws the two ends of a link for a random run.
    pub fn draw_ends(random: &mut Rng) -> (Self, Self) {
        let all = |role| Self::Victim(Victim::All(role));
        let ends = [
            (Self::Victim(Victim::RaftLeader), all(Role::Apiserver)),
            (Self::Victim(Victim::RaftFollower), all(Role::Apiserver)),
            (Self::Victim(Victim::ControllerLeader), Self::Any),
            (Self::Victim(Victim::Node(random.usize(..3))), Self::Any),
            (all(Role::Kubelet), Self::Any),
            (all(Role::Kubelet), all(Role::Kubelet)),
            (all(Role::Apiserver), all(Role::Kubelet)),
        ];
        ends[random.usize(..ends.len())].clone()
    }
}

impl Display for LinkEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client => f.write_str("client"),
            Self::Any => f.write_str("any"),
            Self::Victim(victim) => victim.fmt(f),
        }
    }
}

impl From<LinkEnd> for String {
    fn from(place: LinkEnd) -> Self {
        place.to_string()
    }
}

impl TryFrom<String> for LinkEnd {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl FromStr for LinkEnd {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "client" => Ok(Self::Client),
            "any" => Ok(Self::Any),
            other => linked(other).map(Self::Victim),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn victims_read_back() {
        for text in ["apiserver-1", "node-2", "raft-leader", "quorum", "kubelets"] {
            assert_eq!(text.parse::<Victim>().unwrap().to_string(), text);
        }
        assert!("the-moon".parse::<Victim>().unwrap_err().contains("raft-leader"));
        assert!("command updater".parse::<Victim>().is_err());
        assert_eq!("command updater".parse(), Ok(Target::Command("updater".to_owned())));
        assert_eq!("client".parse(), Ok(LinkEnd::Client));
    }

    #[test]
    fn a_fault_takes_victims_of_its_sort_only() {
        for (text, has_disk, watches, is_linked) in [
            ("apiserver-0", true, false, true),
            ("quorum", true, false, true),
            ("node-1", false, true, true),
            ("controller-standby", false, true, true),
            ("runtime-0", false, false, false),
            ("links-0", false, false, false),
        ] {
            let sorts = [apiservers::parse(text), watchers::parse(text), linked(text)];
            assert_eq!(sorts.map(|sort| sort.is_ok()), [has_disk, watches, is_linked], "{text}");
        }
    }
}
