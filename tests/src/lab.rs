//! A cluster in a temporary folder, which ends with the test; its logs are kept if the test fails.

use std::net::SocketAddr;

use anyhow::bail;
use squall_api::apps::v1::Deployment;
use squall_api::core::v1::Service;
use squall_api::{Kind, Object, manifest};
use squall_checkers::agreement;
use squall_client::{Api, Client, Encoding, Manifest, PATIENCE, ResourceRef, WriteOptions, wait_for};
use squall_cluster::{Cluster, Lifetime, MemberName, Options, leaders, wait_until_ready};
use tempfile::TempDir;

use crate::ctl::Ctl;

/// A test's own cluster.
pub struct Lab {
    /// The running cluster.
    pub cluster: Cluster,
    /// A client with admin rights.
    pub client: Client,
    folder: Option<TempDir>,
}

impl Drop for Lab {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(folder) = self.folder.take()
        {
            #[expect(clippy::print_stderr, reason = "for the reader of the failed test")]
            {
                eprintln!("the cluster's logs are in {}", folder.keep().display());
            }
        }
    }
}

impl Lab {
    /// Starts three apiservers, two controller-managers and three nodes, and waits until they are ready.
    pub async fn start() -> anyhow::Result<Self> {
        Self::of(3, 2, 3).await
    }

    /// Starts a cluster of this size and waits until it is ready.
    pub async fn of(apiservers: usize, controller_managers: usize, nodes: usize) -> anyhow::Result<Self> {
        let options = Options { apiservers, controller_managers, nodes, ..Options::default() };
        Self::with(tempfile::tempdir()?, options).await
    }

    /// Starts one server of each kind and two nodes with these images in addition to the built-in ones.
    pub async fn with_images(images: &str) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("images.yaml");
        std::fs::write(&file, images)?;
        let options =
            Options { apiservers: 1, controller_managers: 1, nodes: 2, images: Some(file), ..Options::default() };
        Self::with(folder, options).await
    }

    async fn with(folder: TempDir, options: Options) -> anyhow::Result<Self> {
        let mut cluster = Cluster::create(&folder.path().join(".squall"), options, Lifetime::Attached)?;
        cluster.start_all()?;
        let client = cluster.client()?;
        wait_until_ready(&mut cluster, &client, PATIENCE).await?;
        Ok(Self { cluster, client, folder: Some(folder) })
    }

    /// Returns `ctl` in a folder where it finds the cluster.
    pub fn ctl(&self) -> anyhow::Result<Ctl> {
        Ctl::in_folder(self.cluster.folder().parent().unwrap_or(self.cluster.folder()))
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

    /// Returns the API of Deployments in the namespace `default`.
    #[must_use]
    pub fn deployments(&self) -> Api<Deployment> {
        Api::new(self.client.clone(), "default")
    }

    /// Returns the objects of a kind in the namespace `default`.
    pub async fn list(&self, kind: Kind) -> Result<Vec<Object>, squall_client::Error> {
        Ok(self.client.list(&ResourceRef::collection(kind, "default"), "", "", "").await?.1)
    }

    /// Changes a Deployment's image.
    pub async fn set_image(&self, name: &str, image: &str) -> anyhow::Result<()> {
        let mut deployment = self.deployments().get(name).await?;
        deployment.spec.template.spec.containers[0].image = image.to_owned();
        deployment.metadata.resource_version.clear();
        self.deployments().update(deployment).await?;
        Ok(())
    }

    /// Waits until all replicas of a Deployment have its newest version and are available.
    pub async fn rolled_out(&self, name: &str) -> anyhow::Result<Deployment> {
        let rolled_out = wait_for("the rollout to finish", || async {
            match self.deployments().get(name).await {
                Ok(deployment) => {
                    let (status, desired) = (&deployment.status, deployment.spec.replicas.unwrap_or(1));
                    let counts = [status.replicas, status.updated_replicas, status.available_replicas];
                    let observed = status.observed_generation == deployment.metadata.generation;
                    if observed && counts == [desired; 3] { Ok(deployment) } else { Err(format!("{status:?}")) }
                }
                Err(error) => Err(error.to_string()),
            }
        });
        Ok(rolled_out.await?)
    }

    /// Returns the external address of the service `kubia`, once it accepts connections.
    pub async fn service_address(&self) -> anyhow::Result<SocketAddr> {
        let services: Api<Service> = Api::new(self.client.clone(), "default");
        let answering = wait_for("the service to answer", || async {
            let service = services.get("kubia").await.map_err(|error| error.to_string())?;
            let ingress =
                service.status.load_balancer.ingress.first().ok_or_else(|| "no external address".to_owned())?;
            let address: SocketAddr = format!("{}:80", ingress.ip).parse().map_err(|error| format!("{error}"))?;
            tokio::net::TcpStream::connect(address).await.map(|_| address).map_err(|error| error.to_string())
        });
        Ok(answering.await?)
    }

    /// Returns the leading apiserver.
    pub async fn raft_leader(&self) -> anyhow::Result<MemberName> {
        Ok(wait_for("a Raft leader", || leaders::raft_leader(&self.client)).await?.0)
    }

    /// Returns the leading controller-manager.
    pub async fn elected(&self) -> anyhow::Result<MemberName> {
        Ok(wait_for("a controller-manager to lead", || leaders::elected(&self.client)).await?.0)
    }

    /// Waits until all apiservers are running and have the same state.
    pub async fn members_agree(&self) -> anyhow::Result<()> {
        wait_for("all members to agree", || agreement::agreed(&self.client)).await?;
        Ok(())
    }
}
