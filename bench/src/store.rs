//! Measures reads and writes of the store through the whole public API, including validation and admission.

use std::time::Duration;

use anyhow::Context;
use clap::ValueEnum;
use futures_util::{StreamExt, stream};
use serde::Serialize;
use squall_api::Kind;
use squall_api::core::v1::ConfigMap;
use squall_client::{Client, PATIENCE, ResourceRef, WriteOptions, manifest, wait_for};
use squall_cluster::{Cluster, Lifetime, MemberName, Role, Usage, leaders, wait_until_ready};

use crate::fan_out;
use crate::load::{self, Figures, Load};

pub(super) const NAMESPACE: &str = "default";
/// The number of keys created concurrently before the measurement.
const PREPARE: usize = 32;

/// The kind of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Workload {
    /// Replace an object unconditionally.
    Put,
    /// Replace an object if it has not changed since this client wrote it.
    ConditionalPut,
    /// Read the current state of an object.
    Get,
    /// Read an object from a member's own state.
    StaleGet,
    /// List the current state of all objects.
    Range,
    /// Watch an object that one more client updates without pause; measures the time from the update to each watcher.
    Watch,
}

/// The members that the clients connect to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// The leader.
    Leader,
    /// All members equally.
    All,
}

/// The options of a measurement.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The kind of requests.
    pub workload: Workload,
    /// The number of clients and the duration.
    pub load: Load,
    /// The members that get the requests.
    pub target: Target,
    /// The number of connections that the clients share.
    pub connections: usize,
    /// The size of each value.
    pub value_bytes: usize,
    /// The number of objects.
    pub keys: usize,
}

/// The results.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The kind of requests.
    pub workload: Workload,
    /// The number of clients.
    pub clients: usize,
    /// The rate and the latencies.
    pub figures: Figures,
    /// The cost for each apiserver.
    pub members: Vec<MemberCost>,
}

/// The cost for one apiserver.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberCost {
    /// The apiserver's name.
    pub member: MemberName,
    /// Whether it was the leader.
    pub leads: bool,
    /// The CPU time per operation, in microseconds.
    pub cpu_micros_per_operation: f64,
    /// The number of fsyncs of its log during the measurement.
    pub fsyncs: u64,
    /// The memory at the end, in MiB.
    pub resident_mib: f64,
    /// The most memory that it ever had, in MiB.
    pub peak_mib: f64,
}

/// A cluster for measurements.
pub struct Bench {
    pub(super) cluster: Cluster,
    pub(super) client: Client,
    /// Keeps the folder until the end.
    _folder: tempfile::TempDir,
}

impl Bench {
    /// Starts a cluster and stops its controller-managers.
    pub async fn start(options: squall_cluster::Options) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut cluster = Cluster::create(folder.path(), options, Lifetime::Attached)?;
        cluster.start_all()?;
        let client = cluster.client()?;
        wait_until_ready(&mut cluster, &client, PATIENCE).await?;
        // The controller-managers would follow every change; only the store is to be measured.
        for member in cluster.members().into_iter().filter(|member| member.role == Role::ControllerManager) {
            cluster.stop(member)?;
        }
        Ok(Self { cluster, client, _folder: folder })
    }

    /// Measures one workload.
    pub async fn run(&self, options: &Options) -> anyhow::Result<Report> {
        let (leader, _) = wait_for("a Raft leader", || leaders::raft_leader(&self.client)).await?;
        let value = "x".repeat(options.value_bytes);
        prepare(&self.client, options, &value).await?;
        let connections = self.connections(options, leader)?;
        let mut before = Vec::new();
        let begun = async || before = self.reading().await;
        let figures = match options.workload {
            Workload::Watch => fan_out::run(options, &connections, &value, begun).await?,
            _ => load::run(&options.load, asking(options, &connections, &value), begun).await?,
        };
        let members = before.into_iter().zip(self.reading().await).map(|(before, after)| MemberCost {
            member: after.member,
            leads: after.member == leader,
            cpu_micros_per_operation: per_operation(
                after.usage.cpu.saturating_sub(before.usage.cpu),
                figures.operations,
            ),
            fsyncs: after.fsyncs.saturating_sub(before.fsyncs),
            resident_mib: after.usage.resident_mib(),
            peak_mib: after.usage.peak_mib(),
        });
        Ok(Report { workload: options.workload, clients: options.load.clients, members: members.collect(), figures })
    }

    /// Measures without the members' cost, on existing keys.
    pub(super) async fn measure(&self, options: &Options) -> anyhow::Result<Figures> {
        let (leader, _) = wait_for("a Raft leader", || leaders::raft_leader(&self.client)).await?;
        let connections = self.connections(options, leader)?;
        let value = "x".repeat(options.value_bytes);
        load::run(&options.load, asking(options, &connections, &value), async || {}).await
    }

    fn connections(&self, options: &Options, leader: MemberName) -> anyhow::Result<Vec<Client>> {
        let members = self.client.endpoints().len();
        let connect = |number: usize| {
            let first = match options.target {
                Target::Leader => leader.index,
                Target::All => number % members,
            };
            Ok(self.cluster.client()?.beginning_with(first))
        };
        (0..options.connections.clamp(1, options.load.clients.max(1))).map(connect).collect()
    }

    /// Reads the counters of all running apiservers.
    pub(super) async fn reading(&self) -> Vec<Reading> {
        let mut readings = Vec::new();
        for member in self.cluster.members().into_iter().filter(|member| member.role == Role::Apiserver) {
            let Some(usage) = self.cluster.usage(member) else { continue };
            let metrics = self.client.metrics(&self.cluster.apiserver_url(member.index)).await.unwrap_or_default();
            readings.push(Reading {
                member,
                usage,
                fsyncs: count_of(&metrics, "squall_log_fsync_duration_seconds_count"),
            });
        }
        readings
    }
}

/// The counters of one apiserver since its start.
pub(super) struct Reading {
    pub(super) member: MemberName,
    pub(super) usage: Usage,
    fsyncs: u64,
}

/// Returns a counter from OpenMetrics text; 0 if it does not exist.
fn count_of(metrics: &str, name: &str) -> u64 {
    let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.and_then(|value| value.parse().ok()).unwrap_or(0)
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn per_operation(cpu: Duration, operations: u64) -> f64 {
    cpu.as_secs_f64() * 1e6 / operations.max(1) as f64
}

pub(super) fn object(number: usize, value: &str) -> ConfigMap {
    let mut map = ConfigMap::default();
    map.metadata.name = format!("key-{number:08}");
    NAMESPACE.clone_into(&mut map.metadata.namespace);
    map.data.insert("value".to_owned(), value.to_owned());
    map
}

/// Creates every key.
pub(super) async fn prepare(client: &Client, options: &Options, value: &str) -> anyhow::Result<()> {
    let all = ResourceRef::collection(Kind::ConfigMap, NAMESPACE);
    let made = stream::iter(0..options.keys).map(async |number| {
        match client.create(&all, manifest(&object(number, value).into()), WriteOptions::default()).await {
            Err(error) if error.is(squall_client::Reason::AlreadyExists) => Ok(()),
            other => other.map(drop),
        }
    });
    let results: Vec<Result<(), squall_client::Error>> = made.buffer_unordered(PREPARE).collect().await;
    results.into_iter().collect::<Result<(), _>>().context("making the keys")
}

fn asking(options: &Options, connections: &[Client], value: &str) -> Vec<Asking> {
    let client = |number: usize| Asking {
        client: connections[number % connections.len()].clone(),
        workload: options.workload,
        value: value.to_owned(),
        keys: options.keys,
        number,
        stride: options.load.clients,
        count: 0,
        version: String::new(),
    };
    (0..options.load.clients).map(client).collect()
}

/// One client of the load.
struct Asking {
    client: Client,
    workload: Workload,
    value: String,
    keys: usize,
    number: usize,
    stride: usize,
    count: usize,
    /// The version of the object that this client wrote last, for conditional puts.
    version: String,
}

impl load::Client for Asking {
    async fn ask(&mut self) -> anyhow::Result<()> {
        self.count += 1;
        let number = match self.workload {
            // Each client has its own key, so that conditions hold.
            Workload::ConditionalPut => self.number % self.keys,
            _ => (self.number + self.count * self.stride) % self.keys,
        };
        let one = ResourceRef::object(Kind::ConfigMap, NAMESPACE, &format!("key-{number:08}"));
        match self.workload {
            Workload::Put => self.put(&one, object(number, &self.value)).await.map(drop),
            Workload::ConditionalPut => {
                let mut map = object(number, &self.value);
                map.metadata.resource_version = std::mem::take(&mut self.version);
                // Each update must change the object.
                map.data.insert("count".to_owned(), self.count.to_string());
                self.version = self.put(&one, map).await?;
                Ok(())
            }
            Workload::Get => Ok(self.client.get(&one, "").await.map(drop)?),
            Workload::StaleGet => Ok(self.client.get(&one, "0").await.map(drop)?),
            Workload::Range => {
                let all = ResourceRef::collection(Kind::ConfigMap, NAMESPACE);
                let (_, objects) = self.client.list(&all, "", "", "").await?;
                anyhow::ensure!(objects.len() >= self.keys, "only {} objects", objects.len());
                Ok(())
            }
            Workload::Watch => anyhow::bail!("watchers send no requests"),
        }
    }
}

impl Asking {
    async fn put(&self, one: &ResourceRef, mut map: ConfigMap) -> anyhow::Result<String> {
        if self.workload == Workload::Put {
            // An update without a change is not written, so each must differ.
            map.data.insert("count".to_owned(), self.count.to_string());
        }
        let reply = self.client.update(one, manifest(&map.into()), WriteOptions::default()).await?;
        if self.workload == Workload::Put {
            return Ok(String::new());
        }
        Ok(reply.object()?.meta().resource_version.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::count_of;

    #[test]
    fn a_counter_is_found_by_its_whole_name() {
        let text = "# TYPE fsync histogram\nfsync_count_other 9\nfsync_count 7\n# EOF\n";
        assert_eq!(count_of(text, "fsync_count"), 7);
        assert_eq!(count_of(text, "fsync"), 0);
    }
}
