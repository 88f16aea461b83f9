//! Measures how fast a Deployment is created and rolled: pods per second, CPU time by role, writes per pod. Also
//! measures how long a rollout stalls when the leading controller-manager is killed.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde::Serialize;
use serde_json::json;
use squall_api::apps::v1::{Deployment, ReplicaSet};
use squall_api::{Kind, Object, manifest};
use squall_client::{Api, Client, Event, PATIENCE, Selection, Watch, wait_for};
use squall_cluster::{Cluster, Lifetime, leaders, wait_until_ready};

const NAME: &str = "bench";
/// Images without delays, so that only the control plane is measured.
const IMAGES: &str = "images:
- {name: 'bench:v1', answer: {status: 200, body: v1}, shutdown: immediate}
- {name: 'bench:v2', answer: {status: 200, body: v2}, shutdown: immediate}
- {name: 'bench:v3', answer: {status: 200, body: v3}, shutdown: immediate}
";
const MANIFEST: &str = include_str!("rollout.yaml");

/// The results.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The number of pods.
    pub pods: i32,
    /// The number of nodes.
    pub nodes: usize,
    /// The creation, until all pods are available; and the change of the image, until all new pods are available.
    pub phases: Vec<Phase>,
    /// The time from the SIGKILL of the leading controller-manager, midway, to the rollout's next step.
    pub resumed_seconds: f64,
    /// The memory of all processes at the end, in MiB.
    pub resident_mib: f64,
}

/// One measured phase.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Phase {
    /// The phase's name: `create` or `roll`.
    pub name: &'static str,
    /// The duration in seconds.
    pub seconds: f64,
    /// The number of pods that became available per second.
    pub pods_per_second: f64,
    /// The number of store revisions per pod.
    pub writes_per_pod: f64,
    /// The CPU time of all processes of each role, in seconds.
    pub cpu_seconds: BTreeMap<String, f64>,
}

/// Runs the benchmark in an empty folder. `told` receives each phase.
pub async fn run(
    folder: &Path,
    options: &squall_cluster::Options,
    pods: i32,
    mut told: impl FnMut(&Phase),
) -> anyhow::Result<Report> {
    let images = folder.join("images.yaml");
    std::fs::write(&images, IMAGES).with_context(|| format!("writing {}", images.display()))?;
    let options = squall_cluster::Options { images: Some(images), ..options.clone() };
    let mut cluster = Cluster::create(&folder.join("cluster"), options.clone(), Lifetime::Attached)?;
    cluster.start_all()?;
    let client = cluster.client()?;
    wait_until_ready(&mut cluster, &client, PATIENCE).await?;
    let mut bench = Bench { cluster, client, pods };
    let mut phases = Vec::new();
    for (name, image) in [("create", ""), ("roll", "bench:v2")] {
        let phase = bench.phase(name, image).await?;
        told(&phase);
        phases.push(phase);
    }
    let resumed_seconds = bench.kill_midway().await?;
    let usages = bench.cluster.members().into_iter().filter_map(|member| bench.cluster.usage(member));
    let resident_mib = usages.map(|usage| usage.resident_mib()).sum();
    bench.cluster.down()?;
    Ok(Report { pods, nodes: options.nodes, phases, resumed_seconds, resident_mib })
}

struct Bench {
    cluster: Cluster,
    client: Client,
    pods: i32,
}

impl Bench {
    fn deployments(&self) -> Api<Deployment> {
        Api::new(self.client.clone(), "default")
    }

    async fn phase(&self, name: &'static str, image: &str) -> anyhow::Result<Phase> {
        let before = self.cpu();
        let watch = self.watch(Kind::Deployment);
        let start = Instant::now();
        let from = match image {
            "" => self.create().await?,
            image => self.set_image(image).await?,
        };
        let to = until(watch, |object| match object {
            Object::Deployment(deployment) => is_done(deployment, self.pods, from),
            _ => None,
        })
        .await?;
        let seconds = start.elapsed().as_secs_f64();
        let after = self.cpu();
        let spent = |(role, cpu): (&String, &Duration)| {
            let earlier = before.get(role).copied().unwrap_or_default();
            (role.clone(), cpu.saturating_sub(earlier).as_secs_f64())
        };
        let pods = f64::from(self.pods);
        Ok(Phase {
            name,
            seconds,
            pods_per_second: pods / seconds,
            writes_per_pod: f64::from(i32::try_from(to - from)?) / pods,
            cpu_seconds: after.iter().map(spent).collect(),
        })
    }

    fn watch(&self, kind: Kind) -> Watch {
        Watch::new(self.client.clone(), Selection { namespace: "default".to_owned(), ..Selection::all(kind) })
    }

    /// Creates the Deployment and returns its revision.
    async fn create(&self) -> anyhow::Result<u64> {
        let json = manifest::documents(MANIFEST).map_err(anyhow::Error::msg)?.remove(0);
        let mut deployment = Deployment::try_from(Object::from_json(Kind::Deployment, json)?)
            .map_err(|kind| anyhow::anyhow!("the manifest is a {}, not a Deployment", kind.info().kind))?;
        deployment.spec.replicas = Some(self.pods);
        Ok(self.deployments().create(deployment).await?.metadata.resource_version.parse()?)
    }

    async fn set_image(&self, image: &str) -> anyhow::Result<u64> {
        let patch = json!({"spec": {"template": {"spec": {"containers": [{"name": NAME, "image": image}]}}}});
        Ok(self.deployments().patch(NAME, &patch).await?.metadata.resource_version.parse()?)
    }

    /// Returns the CPU time of all members since their start, by role.
    fn cpu(&self) -> BTreeMap<String, Duration> {
        let mut cpu = BTreeMap::new();
        for member in self.cluster.members() {
            if let Some(usage) = self.cluster.usage(member) {
                *cpu.entry(member.role.as_str().to_owned()).or_default() += usage.cpu;
            }
        }
        cpu
    }

    /// Kills the leading controller-manager halfway through a rollout. Returns the time until the rollout's next step.
    async fn kill_midway(&mut self) -> anyhow::Result<f64> {
        let (leader, _) = wait_for("an elected controller-manager", || leaders::elected(&self.client)).await?;
        let half = self.pods / 2;
        let watch = self.watch(Kind::ReplicaSet);
        let written = self.set_image("bench:v3").await?;
        until(watch, |object| new_size(object).filter(|size| *size >= half)).await?;
        let watch = self.watch(Kind::ReplicaSet);
        let start = Instant::now();
        self.cluster.kill(leader)?;
        // Requests sent before the kill are executed at once; steps after the Lease's change are the successor's.
        let lease: Api<squall_api::coordination::v1::Lease> = Api::new(self.client.clone(), "kube-system");
        let taken = wait_for("another controller-manager to be elected", || async {
            let lease = lease.get("kube-controller-manager").await.map_err(|error| error.to_string())?;
            let holder = lease.spec.holder_identity.clone().unwrap_or_default();
            match holder == leader.to_string() {
                true => Err(format!("{holder} holds the Lease")),
                false => lease.metadata.resource_version.parse::<u64>().map_err(|error| error.to_string()),
            }
        })
        .await?;
        until(watch, |object| {
            let version: u64 = object.meta().resource_version.parse().unwrap_or(0);
            (version > taken && new_size(object).is_some()).then_some(())
        })
        .await?;
        let seconds = start.elapsed().as_secs_f64();
        until(self.watch(Kind::Deployment), |object| match object {
            Object::Deployment(deployment) => is_done(deployment, self.pods, written),
            _ => None,
        })
        .await?;
        Ok(seconds)
    }
}

/// Returns the size of a ReplicaSet of the third version.
fn new_size(object: &Object) -> Option<i32> {
    let Object::ReplicaSet(set) = object else { return None };
    let of_new = |set: &ReplicaSet| set.spec.template.spec.containers.iter().any(|c| c.image == "bench:v3");
    of_new(set).then(|| set.spec.replicas.unwrap_or(1))
}

/// Returns the revision after `from` at which all pods of the newest version were available.
fn is_done(deployment: &Deployment, pods: i32, from: u64) -> Option<u64> {
    let status = &deployment.status;
    let revision: u64 = deployment.metadata.resource_version.parse().unwrap_or(0);
    let complete = [status.replicas, status.updated_replicas, status.available_replicas].iter().all(|n| *n == pods);
    (revision > from && status.observed_generation >= deployment.metadata.generation && complete).then_some(revision)
}

/// Waits for an object that matches.
async fn until<T>(mut watch: Watch, wanted: impl Fn(&Object) -> Option<T>) -> anyhow::Result<T> {
    let found = async {
        loop {
            if let Event::Applied(object, _) = watch.next().await?
                && let Some(found) = wanted(&object)
            {
                return Ok(found);
            }
        }
    };
    let limit = PATIENCE * 10;
    tokio::time::timeout(limit, found).await.with_context(|| format!("the rollout did not finish within {limit:?}"))?
}
