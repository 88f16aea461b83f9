//! The command line of each member.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::Context;
use squall_flags::{
    ApiserverFlags, ControllerManagerFlags, FaultFlags, KubeletFlags, LinkProxyFlags, ProcessFlags, RuntimeFlags,
    TlsFlags, Words,
};

use crate::folder::{Folder, data, faults_socket, raft_id, runtime_socket, write_log};
use crate::lifetime::Lifetime;
use crate::links::End;
use crate::member::{MemberName, Role};

/// Returns the command that starts a member. The process works in the cluster's folder, which identifies it, and uses
/// relative paths: the folder may be moved, and socket paths must be short.
pub fn command(folder: &Folder, programs: &Path, member: MemberName, lifetime: Lifetime) -> anyhow::Result<Command> {
    let (program, words) = match member.role {
        Role::Links => ("link-proxy", links(member).to_args()),
        Role::Apiserver => ("apiserver", Words::default().word("serve").and(apiserver(folder, member)?.to_args())),
        Role::ControllerManager => ("controller-manager", controller_manager(folder, member).to_args()),
        Role::Runtime => ("kubelet-sim", Words::default().word("runtime").and(runtime(folder, member).to_args())),
        Role::Kubelet => ("kubelet-sim", Words::default().word("agent").and(kubelet(folder, member)?.to_args())),
    };
    let process = ProcessFlags { end_with_stdin: lifetime == Lifetime::Attached, ..ProcessFlags::default() };
    let mut command = Command::new(programs.join(program));
    command.current_dir(folder.path()).args(words).args(process.to_args());
    Ok(command)
}

fn links(member: MemberName) -> LinkProxyFlags {
    LinkProxyFlags { name: member.to_string(), faults: faults_socket(member).into() }
}

fn apiserver(folder: &Folder, member: MemberName) -> anyhow::Result<ApiserverFlags> {
    let (options, description) = (folder.options(), &folder.description);
    let is_founder = member.index < description.founders;
    let founds = is_founder && !description.founded;
    let network = description.network;
    Ok(ApiserverFlags {
        name: member.to_string(),
        id: raft_id(member.index),
        listen: network.apiserver(member.index).parse().context("building the address of an apiserver")?,
        data_dir: data(member).into(),
        founder: if founds { folder.founders() } else { Vec::new() },
        // Only once: after that, it must not return without its data.
        join: !is_founder && !folder.record(member).exists(),
        link_port: link_port(folder, member),
        gateway: gateway(folder, member),
        faults: faults(folder, member),
        service_cidr: network.services().parse().map_err(anyhow::Error::msg)?,
        heartbeat_ms: None,
        election_ms: None,
        write_log: options.write_log.then(|| write_log(member).into()),
        service_account_key: Some("pki/sa.key".into()),
        tls: tls(member),
    })
}

fn controller_manager(folder: &Folder, member: MemberName) -> ControllerManagerFlags {
    ControllerManagerFlags {
        name: member.to_string(),
        apiserver: folder.apiserver_urls(),
        timing: folder.options().timing,
        link_port: link_port(folder, member),
        faults: faults(folder, member),
        tls: tls(member),
    }
}

fn runtime(folder: &Folder, member: MemberName) -> RuntimeFlags {
    RuntimeFlags {
        socket: runtime_socket(member.index).into(),
        images: folder.options().images.clone(),
        strict_images: folder.options().strict_images,
        gateway: gateway(folder, member),
        retry_backends: folder.options().retry_backends,
        faults: FaultFlags { faults: None, ..faults(folder, member) },
    }
}

fn kubelet(folder: &Folder, member: MemberName) -> anyhow::Result<KubeletFlags> {
    Ok(KubeletFlags {
        node: format!("node-{}", member.index),
        pod_cidr: folder.description.network.node(member.index).parse().map_err(anyhow::Error::msg)?,
        runtime: runtime_socket(member.index).into(),
        apiserver: folder.apiserver_urls(),
        timing: folder.options().timing,
        link_port: link_port(folder, member),
        faults: faults(folder, member),
        tls: tls(member),
    })
}

/// Returns the port over which the links carry a member's connections to apiservers.
fn link_port(folder: &Folder, member: MemberName) -> Option<u16> {
    End::Member(member).port().filter(|_| folder.options().links)
}

/// Returns the gateway through which the links carry a member's connections to nodes and pods.
fn gateway(folder: &Folder, member: MemberName) -> Option<SocketAddr> {
    let port = End::at_gateway(member).and_then(End::port).filter(|_| folder.options().links)?;
    Some(folder.description.network.gateway(port))
}

fn faults(folder: &Folder, member: MemberName) -> FaultFlags {
    FaultFlags { faults: Some(faults_socket(member).into()), mutant: folder.options().mutant.clone() }
}

fn tls(member: MemberName) -> TlsFlags {
    TlsFlags {
        ca: "pki/ca.crt".into(),
        cert: format!("pki/{member}.crt").into(),
        key: format!("pki/{member}.key").into(),
    }
}
