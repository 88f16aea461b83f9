//! The command line of each member.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::cluster::Cluster;
use crate::member::{MemberName, Role};

/// A Unix socket's path may not be longer.
const MAX_SOCKET_PATH: usize = 100;

impl Cluster {
    pub(super) fn socket(&self, node: usize) -> PathBuf {
        let socket = self.folder.join(format!("run/node-{node}.sock"));
        if socket.as_os_str().len() <= MAX_SOCKET_PATH {
            return socket;
        }
        // The inode of the folder is as good as its path, and shorter.
        let inode = fs::metadata(&self.folder).map(|data| std::os::unix::fs::MetadataExt::ino(&data)).unwrap_or(0);
        std::env::temp_dir().join(format!("squall-{inode}-node-{node}.sock"))
    }

    /// Where an apiserver keeps its data.
    pub(super) fn data(&self, member: MemberName) -> PathBuf {
        self.folder.join(format!("data/{member}"))
    }

    /// The number of an apiserver in its Raft group.
    pub(super) fn raft_id(&self, member: MemberName) -> u64 {
        member.index as u64 + 1
    }

    /// The flags that name the members of a new group.
    pub(super) fn founders(&self) -> Vec<String> {
        let flag = |index| ["--founder".to_owned(), format!("{}={}", index + 1, self.apiserver_url(index))];
        (0..self.description.founders).flat_map(flag).collect()
    }

    /// The flag and its value that no other process has: by them a member's process is known.
    pub(super) fn mark(&self, member: MemberName) -> (&'static str, PathBuf) {
        match member.role {
            Role::Apiserver => ("--data-dir", self.data(member)),
            Role::ControllerManager | Role::Kubelet => ("--cert", self.folder.join(format!("pki/{member}.crt"))),
            Role::Runtime => ("--socket", self.socket(member.index)),
        }
    }

    /// What starts a member.
    pub(super) fn command(&self, member: MemberName) -> Command {
        let options = self.options();
        let network = self.description.network;
        let program = match member.role {
            Role::Apiserver => "apiserver",
            Role::ControllerManager => "controller-manager",
            Role::Runtime | Role::Kubelet => "kubelet-sim",
        };
        let mut command = Command::new(self.binaries.join(program));
        let index = member.index;
        match member.role {
            Role::Apiserver => {
                let data = self.data(member);
                let is_new = !data.join("member.json").exists() && !self.record(member).exists();
                command.args(["serve", "--name", &member.to_string(), "--id", &self.raft_id(member).to_string()]);
                command
                    .args(["--listen", &network.apiserver(index), "--service-cidr", &network.services()])
                    .arg("--data-dir")
                    .arg(data);
                if is_new && index < self.description.founders {
                    command.args(self.founders());
                } else if is_new {
                    command.arg("--join");
                }
            }
            Role::ControllerManager => {
                command.args(["--name", &member.to_string(), "--timing", &options.timing]);
            }
            Role::Runtime => {
                command.arg("runtime").arg("--socket").arg(self.socket(index));
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
                command.arg("--runtime").arg(self.socket(index));
            }
        }
        if matches!(member.role, Role::ControllerManager | Role::Kubelet) {
            command.args(self.apiserver_urls().into_iter().flat_map(|url| ["--apiserver".to_owned(), url]));
        }
        if member.role != Role::Runtime {
            let pki = self.pki();
            command.arg("--ca").arg(pki.join("ca.crt"));
            command
                .arg("--cert")
                .arg(pki.join(format!("{member}.crt")))
                .arg("--key")
                .arg(pki.join(format!("{member}.key")));
        }
        command
    }
}
