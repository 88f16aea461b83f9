//! Issues certificates for the members and the admin, from the cluster's own CA.

use std::path::PathBuf;

use squall_client::{ClusterEntry, Kubeconfig};

use crate::cluster::Cluster;
use crate::files::write_private;
use crate::member::{MemberName, Role};
use crate::pki::{APISERVER, Authority, Subject};

impl Cluster {
    /// Issues all certificates: the members' into the folder, the admin's into the kubeconfig.
    pub(super) fn issue_certificates(&self) -> anyhow::Result<()> {
        let authority = Authority::create(&self.pki())?;
        self.members().into_iter().try_for_each(|member| self.issue_certificate(&authority, member))?;
        let (certificate, key) =
            authority.issue(&Subject { user: "admin", group: "system:masters", addresses: &[], server_name: None })?;
        self.write_kubeconfig(&ClusterEntry {
            name: "squall".to_owned(),
            endpoints: self.apiserver_urls(),
            ca: authority.certificate().as_bytes().to_vec(),
            certificate: certificate.into_bytes(),
            key: key.into_bytes(),
            user: "admin".to_owned(),
            namespace: "default".to_owned(),
        })
    }

    /// Issues the certificate of one member into the folder.
    pub(super) fn issue_certificate(&self, authority: &Authority, member: MemberName) -> anyhow::Result<()> {
        let node = format!("system:node:node-{}", member.index);
        let mut addresses = Vec::new();
        let mut server_name = None;
        let (user, group) = match member.role {
            Role::Apiserver => {
                addresses.extend(self.addresses_of_apiserver(member.index));
                server_name = Some(APISERVER);
                ("kube-apiserver", "system:masters")
            }
            Role::ControllerManager => ("system:kube-controller-manager", "system:controllers"),
            Role::Kubelet => {
                // Only its address: a kubelet must not have the server name of apiservers.
                addresses.push(self.description.network.node_address(member.index));
                (node.as_str(), "system:nodes")
            }
            Role::Links | Role::Runtime => return Ok(()),
        };
        authority.issue_to(
            &self.pki(),
            &member.to_string(),
            &Subject { user, group, addresses: &addresses, server_name },
        )
    }

    fn addresses_of_apiserver(&self, index: usize) -> [String; 3] {
        let network = self.description.network;
        let address = network.apiserver(index);
        let host = address.split(':').next().unwrap_or_default();
        [host.to_owned(), network.kubernetes_service(), "127.0.0.1".to_owned()]
    }

    /// Updates the kubeconfig to the current apiservers.
    pub(super) fn update_kubeconfig(&self) -> anyhow::Result<()> {
        let entry = self.admin()?;
        if entry.endpoints == self.apiserver_urls() {
            return Ok(());
        }
        self.write_kubeconfig(&ClusterEntry { endpoints: self.apiserver_urls(), ..entry })
    }

    fn write_kubeconfig(&self, entry: &ClusterEntry) -> anyhow::Result<()> {
        write_private(&self.kubeconfig(), Kubeconfig::of(entry).to_text().as_bytes())
    }

    pub(super) fn pki(&self) -> PathBuf {
        self.folder.join("pki")
    }
}
