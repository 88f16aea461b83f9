//! Injects faults into members, and into the links between them.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, ensure};
use rustix::process::Signal;
use squall_client::ClusterEntry;
use squall_faults::Switch;

use crate::cluster::Cluster;
use crate::folder::faults_socket;
use crate::links::{CLIENTS, End, Proxy, Way};
use crate::member::{MemberName, Role};

/// The only member with this role.
const LINKS: MemberName = MemberName { role: Role::Links, index: 0 };

impl Cluster {
    /// Returns the switch for faults inside a member.
    pub fn switch(&self, member: MemberName) -> anyhow::Result<Switch> {
        ensure!(member.role != Role::Runtime, "{member} can only be killed, stopped and paused");
        Switch::of(self.folder(), &faults_socket(member))
    }

    /// Returns the switch for faults of the links.
    pub fn links(&self) -> anyhow::Result<Switch> {
        ensure!(
            self.options().links,
            "this cluster has no links to break; create a cluster that has them with \"ctl cluster up --links\""
        );
        self.switch(LINKS)
    }

    /// Returns the kubeconfig entry of a client whose links can be broken.
    pub fn linked_client(&self, index: usize) -> anyhow::Result<ClusterEntry> {
        let port = End::Client(index).port().filter(|_| index < CLIENTS).context("finding the port of the client")?;
        let mut entry = self.folder.admin()?;
        for endpoint in &mut entry.endpoints {
            if let Some((host, _)) = endpoint.rsplit_once(':') {
                *endpoint = format!("{host}:{port}");
            }
        }
        Ok(entry)
    }

    /// Appends half a frame to the log of an apiserver that has ended, as a power cut may leave it.
    pub fn tear_log(&self, member: MemberName) -> anyhow::Result<()> {
        let mut command = Command::new(self.launcher.programs.join("apiserver"));
        let output = command.arg("tear").arg(self.folder.data(member)).output().context("starting apiserver")?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim_end());
        Ok(())
    }

    /// Notifies the link proxy of another apiserver, if there are links.
    pub(super) fn links_have_grown(&self) -> anyhow::Result<()> {
        match self.signals().process(LINKS) {
            Some(process) => process.signal(Signal::HUP),
            None => Ok(()),
        }
    }

    /// Makes the proxy accept every connection that a member or a client of this cluster may open to an apiserver, and
    /// the connections of apiservers and nodes to nodes.
    pub fn connect_links(&self, proxy: &Arc<Proxy>) -> anyhow::Result<()> {
        let clients = (0..CLIENTS).map(End::Client);
        let ends: Vec<End> = self.members().into_iter().map(End::Member).chain(clients).collect();
        let apiservers = self.members().into_iter().filter(|member| member.role == Role::Apiserver);
        for apiserver in apiservers {
            let target: SocketAddr = self.folder.description.network.apiserver(apiserver.index).parse()?;
            let to = End::Member(apiserver);
            for from in ends.iter().filter(|from| **from != to) {
                if let Some(port) = from.port() {
                    proxy.connect(Way { from: *from, to }, (target.ip(), port).into(), target)?;
                }
            }
        }
        for from in self.members().into_iter().filter_map(End::at_gateway) {
            if let Some(port) = from.port() {
                let network = self.folder.description.network;
                let node = move |index| End::Member(MemberName { role: Role::Kubelet, index });
                let whose = move |address| network.node_of(address).map(node);
                proxy.gateway(from, network.gateway(port), whose)?;
            }
        }
        Ok(())
    }
}
