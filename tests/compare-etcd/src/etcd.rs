//! Starts three etcd members on loopback with etcd's defaults, and a client that uses the leader.

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use squall_bench::load::{self, Figures, Load};
use squall_cluster::Usage;
use tokio::process::{Child, Command};
use tonic::transport::{Channel, Endpoint};

// Not `expect`: the lints that the generated code violates change from version to version.
#[allow(unused_qualifications, clippy::all, clippy::allow_attributes, missing_docs, reason = "generated code")]
mod pb {
    tonic::include_proto!("etcdserverpb");
}

use pb::kv_client::KvClient;
use pb::maintenance_client::MaintenanceClient;

const MEMBERS: u16 = 3;
const FIRST_PORT: u16 = 23790;
const PATIENCE: Duration = Duration::from_secs(30);

/// A running etcd cluster.
pub struct Etcd {
    members: Vec<Child>,
    _folder: tempfile::TempDir,
}

fn client_url(member: u16) -> String {
    format!("http://127.0.0.1:{}", FIRST_PORT + 2 * member)
}

fn peer_url(member: u16) -> String {
    format!("http://127.0.0.1:{}", FIRST_PORT + 2 * member + 1)
}

impl Etcd {
    /// Starts three members and waits for a leader.
    pub async fn start() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let cluster: Vec<String> = (0..MEMBERS).map(|member| format!("m{member}={}", peer_url(member))).collect();
        let start = |member: u16| {
            Command::new("etcd")
                .args(["--name", &format!("m{member}"), "--initial-cluster", &cluster.join(",")])
                .args(["--listen-client-urls", &client_url(member), "--advertise-client-urls", &client_url(member)])
                .args(["--listen-peer-urls", &peer_url(member), "--initial-advertise-peer-urls", &peer_url(member)])
                .arg("--data-dir")
                .arg(folder.path().join(format!("m{member}")))
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .kill_on_drop(true)
                .spawn()
                .context("starting etcd (Debian: apt-get install etcd-server)")
        };
        let members = (0..MEMBERS).map(start).collect::<Result<_, _>>()?;
        let etcd = Self { members, _folder: folder };
        etcd.leader().await?;
        Ok(etcd)
    }

    /// Returns the leader's address.
    async fn leader(&self) -> anyhow::Result<String> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            for member in 0..MEMBERS {
                let channel = Endpoint::from_shared(client_url(member))?.connect_lazy();
                if let Ok(reply) = MaintenanceClient::new(channel).status(pb::StatusRequest {}).await {
                    let reply = reply.into_inner();
                    if reply.leader != 0 && reply.header.is_some_and(|header| header.member_id == reply.leader) {
                        return Ok(client_url(member));
                    }
                }
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        bail!("etcd had no leader after {PATIENCE:?}")
    }

    fn cpu(&self) -> Duration {
        let pids = self.members.iter().filter_map(|member| i32::try_from(member.id()?).ok());
        pids.filter_map(Usage::of_process).map(|usage| usage.cpu).sum()
    }

    /// Returns the most memory that a member ever had, in MiB.
    pub fn peak_mib(&self) -> f64 {
        let pids = self.members.iter().filter_map(|member| i32::try_from(member.id()?).ok());
        pids.filter_map(Usage::of_process).map(|usage| usage.peak_mib()).fold(0.0, f64::max)
    }

    /// Measures one load; also returns the CPU time of all members per operation, in microseconds.
    pub async fn run(
        &self,
        load: &Load,
        connections: usize,
        put: bool,
        keys: usize,
        value_bytes: usize,
    ) -> anyhow::Result<(Figures, f64)> {
        let leader = self.leader().await?;
        let connect = || Ok(Endpoint::from_shared(leader.clone())?.tcp_nodelay(true).connect_lazy());
        let channels: Vec<Channel> =
            (0..connections.clamp(1, load.clients)).map(|_| connect()).collect::<anyhow::Result<_>>()?;
        let mut filler = KvClient::new(channels[0].clone());
        for number in 0..keys {
            filler.put(pb::PutRequest { key: key(number), value: vec![b'x'; value_bytes] }).await?;
        }
        let clients = (0..load.clients).map(|number| Asking {
            client: KvClient::new(channels[number % channels.len()].clone()),
            put,
            keys,
            value: vec![b'x'; value_bytes],
            number,
            stride: load.clients,
            count: 0,
        });
        let mut before = Duration::ZERO;
        let figures = load::run(load, clients.collect(), async || before = self.cpu()).await?;
        let cpu = self.cpu().saturating_sub(before).as_secs_f64() * 1e6 / figures.operations.max(1) as f64;
        Ok((figures, cpu))
    }
}

fn key(number: usize) -> Vec<u8> {
    format!("/registry/configmaps/default/key-{number:08}").into_bytes()
}

struct Asking {
    client: KvClient<Channel>,
    put: bool,
    keys: usize,
    value: Vec<u8>,
    number: usize,
    stride: usize,
    count: usize,
}

impl load::Client for Asking {
    async fn ask(&mut self) -> anyhow::Result<()> {
        self.count += 1;
        let key = key((self.number + self.count * self.stride) % self.keys);
        if self.put {
            self.client.put(pb::PutRequest { key, value: self.value.clone() }).await?;
        } else {
            let reply = self.client.range(pb::RangeRequest { key, range_end: Vec::new() }).await?;
            anyhow::ensure!(reply.into_inner().kvs.len() == 1, "the key does not exist");
        }
        Ok(())
    }
}
