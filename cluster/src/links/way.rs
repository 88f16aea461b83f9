//! The ends and directions of links, and the ports that identify where a connection comes from.

use std::fmt::{self, Display};
use std::str::FromStr;

use crate::member::{MemberName, Role};

/// Number of clients that have their own links.
pub const CLIENTS: usize = 16;
/// The first port of each kind of end. The address is that of the apiserver to reach; the port identifies who connects.
const CLIENT_PORTS: u16 = 10_000;
const APISERVER_PORTS: u16 = 10_100;
const CONTROLLER_MANAGER_PORTS: u16 = 10_400;
const KUBELET_PORTS: u16 = 10_500;

/// One end of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum End {
    /// `client-3`: a client outside the cluster, with its own kubeconfig.
    Client(usize),
    /// A member of the cluster, such as `kubelet-1`.
    Member(MemberName),
}

impl End {
    /// Returns the end that a member is when it connects to nodes and their pods, if it does. A runtime and its kubelet
    /// are the same end.
    pub fn at_gateway(member: MemberName) -> Option<Self> {
        match member.role {
            Role::Apiserver => Some(Self::Member(member)),
            Role::Runtime => Some(Self::Member(MemberName { role: Role::Kubelet, ..member })),
            Role::ControllerManager | Role::Kubelet | Role::Links => None,
        }
    }

    /// Returns the port on which the proxy accepts its connections; `None` if it makes none.
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
            Some(_) => Err(format!("there is no {text}; use client-0 to client-{}", CLIENTS - 1)),
            None => text.parse().map(Self::Member),
        }
    }
}

/// One direction of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Way {
    /// The sender.
    pub from: End,
    /// The receiver.
    pub to: End,
}

impl Way {
    /// Returns the opposite direction.
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
