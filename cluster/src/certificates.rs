//! A certificate for each member and for the admin, by a CA of the cluster's own.

use squall_client::{ClusterEntry, Kubeconfig};

use crate::cluster::Cluster;
use crate::files::write_private;
use crate::member::Role;
use crate::pki::{Authority, Subject};

impl Cluster {
    /// Writes them into the folder, and the admin's into the kubeconfig.
    pub(super) fn issue_certificates(&self) -> anyhow::Result<()> {
        let authority = Authority::new()?;
        let folder = self.folder.join("pki");
        write_private(&folder.join("ca.crt"), authority.certificate().as_bytes())?;
        let network = self.description.network;
        for member in self.members() {
            let (name, addresses);
            let (user, group) = match member.role {
                Role::Apiserver => {
                    let address = network.apiserver(member.index);
                    let host = address.split(':').next().unwrap_or_default().to_owned();
                    addresses = vec![host, network.kubernetes_service(), "127.0.0.1".to_owned()];
                    authority.issue_to(
                        &folder,
                        &member.to_string(),
                        &Subject { user: "kube-apiserver", group: "system:masters", addresses: &addresses },
                    )?;
                    continue;
                }
                Role::ControllerManager => ("system:kube-controller-manager", "system:controllers"),
                Role::Kubelet => {
                    name = format!("system:node:node-{}", member.index);
                    (name.as_str(), "system:nodes")
                }
                Role::Runtime => continue,
            };
            authority.issue_to(&folder, &member.to_string(), &Subject { user, group, addresses: &[] })?;
        }
        let (certificate, key) =
            authority.issue(&Subject { user: "admin", group: "system:masters", addresses: &[] })?;
        let entry = ClusterEntry {
            name: "squall".to_owned(),
            endpoints: self.apiserver_urls(),
            ca: authority.certificate().into_bytes(),
            certificate: certificate.into_bytes(),
            key: key.into_bytes(),
            user: "admin".to_owned(),
            namespace: "default".to_owned(),
        };
        write_private(&self.kubeconfig(), Kubeconfig::of(&entry).to_text().as_bytes())
    }
}
