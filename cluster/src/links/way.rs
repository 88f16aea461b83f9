//! What links connect, and at which port whom a connection comes from can be told.

use std::fmt::{self, Display};
use std::str::FromStr;

use crate::member::{MemberName, Role};

/// How many clients have links of their own.
pub const CLIENTS: usize = 16;
/// The first port of each: at the address of the apiserver that is meant, the port says who connects.
const CLIENT_PORTS: u16 = 10_000;
const APISERVER_PORTS: u16 = 10_100;
const CONTROLLER_MANAGER_PORTS: u16 = 10_400;
const KUBELET_PORTS: u16 = 10_500;

/// One who sends or receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum End {
    /// `client-3`: someone outside, with a kubeconfig of its own.
    Client(usize),
    /// A member.
    Member(MemberName),
}

impl End {
    /// As which end a member connects to nodes and their pods, if it does. What the runtime carries is its node's, as the
    /// kubelet is.
    pub fn at_gateway(member: MemberName) -> Option<Self> {
        match member.role {
            Role::Apiserver => Some(Self::Member(member)),
            Role::Runtime => Some(Self::Member(MemberName { role: Role::Kubelet, ..member })),
            Role::ControllerManager | Role::Kubelet | Role::Links => None,
        }
    }

    /// The port at each apiserver where it is taken in; `None` for those that connect to none.
    pub fn port(self) -> Option<u16> {
        let (first, index) = match self {
            Self::Client(index) => (CLIENT_PORTS, index),
            Self::Member(MemberName { role: Role::Apiserver, index }) => (APISERVER_PORTS, index),
            Self::Member(MemberName { role: Role::ControllerManager, index }) => (CONTROLLER_MANAGER_PORTS, index),
            Self::Member(MemberName { role: Role::Kubelet, index }) => (KUBELET_PORTS, index),
            Self::Member(MemberName { role: Role::Runtime | Role::Links, .. }) => return None,
        };
        Some(first + u16::try_from(index).ok()?)
    }
}

impl Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(index) => write!(f, "client-{index}"),
            Self::Member(member) => member.fmt(f),
        }
    }
}

impl FromStr for End {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix("client-").and_then(|index| index.parse().ok()) {
            Some(index) if index < CLIENTS => Ok(Self::Client(index)),
            Some(_) => Err(format!("there are client-0 to client-{}, and no {text}", CLIENTS - 1)),
            None => text.parse().map(Self::Member),
        }
    }
}

/// A direction: what one sends to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Way {
    /// The sender.
    pub from: End,
    /// The receiver.
    pub to: End,
}

impl Way {
    /// What the other sends.
    #[must_use]
    pub fn back(self) -> Self {
        Self { from: self.to, to: self.from }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ends_read_back_and_have_ports_of_their_own() {
        let mut ports = BTreeSet::new();
        let names = ["client-0", "client-15", "apiserver-0", "apiserver-199", "controller-manager-8", "kubelet-191"];
        for name in names {
            let end: End = name.parse().unwrap();
            assert_eq!(end.to_string(), name);
            ports.insert(end.port().unwrap());
        }
        assert_eq!(ports.len(), names.len());
        assert!("client-16".parse::<End>().is_err() && "nobody".parse::<End>().is_err());
        assert_eq!("runtime-0".parse::<End>().unwrap().port(), None);
    }
}
