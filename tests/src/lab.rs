//! A cluster in a temporary folder, which ends with the test; its logs are kept when the test fails.

use std::fmt::Debug;
use std::future::Future;
use std::time::Duration;

use anyhow::bail;
use squall_api::apps::v1::Deployment;
use squall_api::{Kind, Object, manifest};
use squall_client::{Api, Client, Encoding, Manifest, ResourceRef, WriteOptions};
use squall_cluster::{Cluster, Lifetime, MemberName, Options, Role, wait_until_ready};
use tempfile::TempDir;
use tokio::time::Instant;

/// How long a condition may take on a machine that has other things to do.
pub const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(20);

/// A cluster of a test's own.
pub struct Lab {
    /// The cluster.
    pub cluster: Cluster,
    /// A client as its admin.
    pub client: Client,
    folder: Option<TempDir>,
}

impl Drop for Lab {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(folder) = self.folder.take()
        {
            #[expect(clippy::print_stderr, reason = "this is for whoever reads the failed test")]
            {
                eprintln!("the logs of the cluster are in {}", folder.keep().display());
            }
        }
    }
}

impl Lab {
    /// Three apiservers, two controller-managers, three nodes, ready.
    pub async fn start() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let options =
            Options { apiservers: 3, controller_managers: 2, nodes: 3, timing: "fast".to_owned(), images: None };
        let mut cluster = Cluster::create(folder.path(), options, Lifetime::Attached)?;
        cluster.start_all()?;
        let client = cluster.client()?;
        wait_until_ready(&mut cluster, &client, PATIENCE).await?;
        Ok(Self { cluster, client, folder: Some(folder) })
    }

    /// Creates the objects of a manifest in the namespace `default`.
    pub async fn create(&self, text: &str) -> anyhow::Result<()> {
        for json in manifest::documents(text).map_err(anyhow::Error::msg)? {
            let word = |field: &str| json.get(field).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
            let Some(kind) = Kind::of_manifest(&word("apiVersion"), &word("kind")) else { bail!("an unknown kind") };
            let manifest = Manifest { encoding: Some(Encoding::Json(json.to_string().into())) };
            self.client.create(&ResourceRef::collection(kind, "default"), manifest, WriteOptions::default()).await?;
        }
        Ok(())
    }

    /// The Deployments of the namespace `default`.
    #[must_use]
    pub fn deployments(&self) -> Api<Deployment> {
        Api::new(self.client.clone(), "default")
    }

    /// The objects of a kind in the namespace `default`.
    pub async fn list(&self, kind: Kind) -> Result<Vec<Object>, squall_client::Error> {
        Ok(self.client.list(&ResourceRef::collection(kind, "default"), "", "", "").await?.1)
    }

    /// Gives a Deployment another image.
    pub async fn set_image(&self, name: &str, image: &str) -> anyhow::Result<()> {
        let mut deployment = self.deployments().get(name).await?;
        deployment.spec.template.spec.containers[0].image = image.to_owned();
        deployment.metadata.resource_version.clear();
        self.deployments().update(deployment).await?;
        Ok(())
    }

    /// Waits until a Deployment has all its replicas, of its newest version and available.
    pub async fn rolled_out(&self, name: &str) -> anyhow::Result<Deployment> {
        wait_for("the rollout to finish", || async {
            match self.deployments().get(name).await {
                Ok(deployment) => {
                    let (status, desired) = (&deployment.status, deployment.spec.replicas.unwrap_or(1));
                    let counts = [status.replicas, status.updated_replicas, status.available_replicas];
                    let observed = status.observed_generation == deployment.metadata.generation;
                    if observed && counts == [desired; 3] { Ok(deployment) } else { Err(format!("{status:?}")) }
                }
                Err(error) => Err(error.to_string()),
            }
        })
        .await
    }

    /// The apiserver that leads.
    pub async fn raft_leader(&self) -> anyhow::Result<MemberName> {
        wait_for("a leader", || async {
            for endpoint in self.client.endpoints() {
                if let Ok(status) = self.client.member_status(&endpoint).await
                    && status.leader == status.id
                {
                    return Ok(MemberName {
                        role: Role::Apiserver,
                        index: usize::try_from(status.id - 1).unwrap_or(0),
                    });
                }
            }
            Err("no apiserver says that it leads")
        })
        .await
    }

    /// The controller-manager that leads.
    pub async fn elected(&self) -> anyhow::Result<MemberName> {
        wait_for("a controller-manager to lead", || async {
            let leases: Api<squall_api::coordination::v1::Lease> = Api::new(self.client.clone(), "kube-system");
            let lease = leases.get("kube-controller-manager").await.map_err(|error| error.to_string())?;
            lease.spec.holder_identity.unwrap_or_default().parse::<MemberName>()
        })
        .await
    }

    /// Waits until all apiservers run and have the same state.
    pub async fn members_agree(&self) -> anyhow::Result<()> {
        wait_for("all members to agree", || async {
            let mut seen = Vec::new();
            for endpoint in self.client.endpoints() {
                let status = self.client.member_status(&endpoint).await.map_err(|error| error.to_string())?;
                seen.push((status.revision, status.state_hash));
            }
            if seen.windows(2).all(|pair| pair[0] == pair[1]) { Ok(()) } else { Err(format!("{seen:?}")) }
        })
        .await
    }
}

/// Waits for a condition; says what was last seen when it does not come.
pub async fn wait_for<T, E: Debug, F: Future<Output = Result<T, E>>>(
    what: &str,
    condition: impl Fn() -> F,
) -> anyhow::Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match condition().await {
            Ok(value) => return Ok(value),
            Err(seen) if Instant::now() >= deadline => bail!("waited {PATIENCE:?} for {what}; last seen: {seen:?}"),
            Err(_) => tokio::time::sleep(LOOK).await,
        }
    }
}
