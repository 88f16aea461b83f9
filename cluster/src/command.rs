//! The command line of each member.

use std::path::PathBuf;
use std::process::Command;

use crate::cluster::Cluster;
use crate::links::End;
use crate::member::{MemberName, Role};

impl Cluster {
    /// Returns the data folder of an apiserver.
    pub(super) fn data(&self, member: MemberName) -> PathBuf {
        self.folder.join(format!("data/{member}"))
    }

    /// Returns the id of an apiserver in its Raft group, which starts at 1.
    pub(super) fn raft_id(&self, member: MemberName) -> u64 {
        member.index as u64 + 1
    }

    /// Returns the flags that name the members of a new group.
    pub(super) fn founders(&self) -> Vec<String> {
        let flag = |index| ["--founder".to_owned(), format!("{}={}", index + 1, self.apiserver_url(index))];
        (0..self.description.founders).flat_map(flag).collect()
    }

    /// Returns the command that starts a member. The process works in the cluster's folder, which identifies it, and
    /// uses relative paths: the folder may be moved, and socket paths must be short.
    pub(super) fn command(&self, member: MemberName) -> Command {
        let options = self.options();
        let network = self.description.network;
        let program = match member.role {
            Role::Links => "link-proxy",
            Role::Apiserver => "apiserver",
            Role::ControllerManager => "controller-manager",
            Role::Runtime | Role::Kubelet => "kubelet-sim",
        };
        let mut command = Command::new(self.binaries.join(program));
        command.current_dir(&self.folder);
        let index = member.index;
        match member.role {
            Role::Links => {
                command.args(["--name", &member.to_string()]);
            }
            Role::Apiserver => {
                command.args(["serve", "--name", &member.to_string(), "--id", &self.raft_id(member).to_string()]);
                command
                    .args(["--listen", &network.apiserver(index), "--service-cidr", &network.services()])
                    .args(["--data-dir", &format!("data/{member}")]);
                if options.write_log {
                    command.args(["--write-log", &write_log(member)]);
                }
                if index >= self.description.founders {
                    let is_new = !self.data(member).join("member.json").exists() && !self.record(member).exists();
                    command.args(is_new.then_some("--join"));
                } else if !self.description.founded {
                    command.args(self.founders());
                }
            }
            Role::ControllerManager => {
                command.args(["--name", &member.to_string(), "--timing", &options.timing]);
            }
            Role::Runtime => {
                command.args(["runtime", "--socket", &socket(index)]);
                if let Some(images) = &options.images {
                    command.arg("--images").arg(images);
                }
            }
            Role::Kubelet => {
                command.args([
                    "agent",
                    "--node",
                    &format!("node-{index}"),
                    "--pod-cidr",
                    &network.node(index),
                    "--timing",
                    &options.timing,
                ]);
                command.args(["--runtime", &socket(index)]);
            }
        }
        if matches!(member.role, Role::ControllerManager | Role::Kubelet) {
            command.args(self.apiserver_urls().into_iter().flat_map(|url| ["--apiserver".to_owned(), url]));
        }
        command.args(self.breakable(member));
        if !matches!(member.role, Role::Links | Role::Runtime) {
            command.args(["--ca", "pki/ca.crt"]);
            command.args(["--cert", &format!("pki/{member}.crt"), "--key", &format!("pki/{member}.key")]);
        }
        command
    }

    /// Returns the flags for breaking a member: the ports of its links, its socket for faults, and the protection that
    /// it leaves out.
    fn breakable(&self, member: MemberName) -> Vec<String> {
        let options = self.options();
        let mut flags = Vec::new();
        let mut add = |flag: &str, value: String| flags.extend([flag.to_owned(), value]);
        if options.links {
            if let Some(port) = End::Member(member).port() {
                add("--link-port", port.to_string());
            }
            if let Some(port) = End::at_gateway(member).and_then(End::port) {
                add("--gateway", self.description.network.gateway(port).to_string());
            }
        }
        if member.role != Role::Runtime {
            add("--faults", faults_socket(member));
        }
        if let Some(mutant) = options.mutant.as_ref().filter(|_| member.role != Role::Links) {
            add("--mutant", mutant.clone());
        }
        flags
    }
}

/// Returns a member's socket for faults, relative to the cluster's folder.
pub fn faults_socket(member: MemberName) -> String {
    format!("run/{member}.faults")
}

/// Returns the write log of an apiserver, relative to the cluster's folder.
pub fn write_log(member: MemberName) -> String {
    format!("logs/{member}.writes")
}

/// Returns the socket of a node's runtime, relative to the cluster's folder.
pub fn socket(node: usize) -> String {
    format!("run/node-{node}.sock")
}
