//! Issues certificates for the members and the admin, from the cluster's own CA.

use squall_client::{ClusterEntry, Kubeconfig};
use squall_daemon::identity::MEMBER;

use crate::files::write_private;
use crate::folder::Folder;
use crate::member::{MemberName, Role};
use crate::pki::{APISERVER, Authority, Subject};

/// Issues all certificates: the members' into the folder, the admin's into the kubeconfig.
pub fn issue_certificates(folder: &Folder) -> anyhow::Result<()> {
    let authority = Authority::create(&folder.pki())?;
    folder.members().into_iter().try_for_each(|member| issue_certificate(folder, &authority, member))?;
    let (certificate, key) =
        authority.issue(&Subject { user: "admin", group: "system:masters", addresses: &[], server_name: None })?;
    write_kubeconfig(
        folder,
        &ClusterEntry {
            name: "squall".to_owned(),
            endpoints: folder.apiserver_urls(),
            ca: authority.certificate().as_bytes().to_vec(),
            certificate: certificate.into_bytes(),
            key: key.into_bytes(),
            token: String::new(),
            user: "admin".to_owned(),
            namespace: "default".to_owned(),
        },
    )
}

/// Issues the certificate of one member into the folder.
pub fn issue_certificate(folder: &Folder, authority: &Authority, member: MemberName) -> anyhow::Result<()> {
    let node = format!("system:node:node-{}", member.index);
    let mut addresses = Vec::new();
    let mut server_name = None;
    let (user, group) = match member.role {
        Role::Apiserver => {
            addresses.extend(addresses_of_apiserver(folder, member.index));
            server_name = Some(APISERVER);
            (MEMBER, "system:masters")
        }
        Role::ControllerManager => ("system:kube-controller-manager", "system:controllers"),
        Role::Kubelet => {
            // Only its address: a kubelet must not have the server name of apiservers.
            addresses.push(folder.description.network.node_address(member.index));
            (node.as_str(), "system:nodes")
        }
        Role::Links | Role::Runtime => return Ok(()),
    };
    authority.issue_to(&folder.pki(), &member.to_string(), &Subject { user, group, addresses: &addresses, server_name })
}

fn addresses_of_apiserver(folder: &Folder, index: usize) -> [String; 3] {
    let network = folder.description.network;
    let address = network.apiserver(index);
    let host = address.split(':').next().unwrap_or_default();
    [host.to_owned(), network.kubernetes_service(), "127.0.0.1".to_owned()]
}

/// Updates the kubeconfig to the current apiservers.
pub fn update_kubeconfig(folder: &Folder) -> anyhow::Result<()> {
    let entry = folder.admin()?;
    if entry.endpoints == folder.apiserver_urls() {
        return Ok(());
    }
    write_kubeconfig(folder, &ClusterEntry { endpoints: folder.apiserver_urls(), ..entry })
}

fn write_kubeconfig(folder: &Folder, entry: &ClusterEntry) -> anyhow::Result<()> {
    write_private(&folder.kubeconfig(), Kubeconfig::of(entry).to_text().as_bytes())
}
