//! The cluster and the namespace that a command works on.

use std::path::{Path, PathBuf};

use squall_api::{Kind, Object};
use squall_client::{Client, ClusterEntry, Kubeconfig};
use squall_cluster::Cluster;
use tokio::sync::OnceCell;

use crate::cli::{DirArgs, Global};
use crate::failure::Failure;
use crate::kinds::Kinds;
use crate::request_log;

/// A client and a namespace.
pub struct Context {
    pub client: Client,
    /// The cluster and the user of the kubeconfig.
    pub entry: ClusterEntry,
    pub namespace: String,
    /// The namespace given with `--namespace`, if any.
    pub asked_namespace: Option<String>,
    /// The kinds that users have defined, once they were asked for.
    pub custom: OnceCell<Kinds>,
}

impl Context {
    /// Finds the context by the flags, the environment and the current folder.
    pub fn find(global: &Global) -> Result<Self, Failure> {
        let (path, config) = kubeconfig(global)?;
        request_log::config_loaded(global.verbosity, &path);
        let mut entry = config.current()?;
        if let Some(server) = &global.server {
            entry.endpoints = vec![server.clone()];
        }
        let mut client = Client::new(&entry)?.with_field_manager(env!("CARGO_BIN_NAME"));
        // kubectl: zero sets no limit. The client's default remains.
        if let Some(timeout) = global.request_timeout.filter(|timeout| !timeout.is_zero()) {
            client = client.with_deadline(timeout);
        }
        if let Some(observer) = request_log::observer(global.verbosity) {
            client = client.observed_by(observer);
        }
        let namespace = global.namespace.clone().unwrap_or_else(|| entry.namespace.clone());
        Ok(Self { client, entry, namespace, asked_namespace: global.namespace.clone(), custom: OnceCell::new() })
    }

    /// Returns the kinds that users have defined.
    pub async fn kinds(&self) -> Result<&Kinds, squall_client::Error> {
        self.custom.get_or_try_init(async || Ok(Kinds::of(&self.client.kinds("").await?))).await
    }

    /// Returns the kind that a user means by a word.
    pub async fn kind(&self, word: &str) -> Result<Kind, Failure> {
        let found = match Kind::of_word(word) {
            Some(kind) => Some(kind),
            None => self.kinds().await?.of_word(word),
        };
        found.ok_or_else(|| Failure::error(format!("the server doesn't have a resource type {word:?}")))
    }

    /// Returns an object with the columns of its kind, if users have defined that.
    pub fn adopted(&self, mut object: Object) -> Object {
        if let Some(kinds) = self.custom.get() {
            kinds.adopt(&mut object);
        }
        object
    }
}

/// The path and the content of the kubeconfig in use.
pub fn kubeconfig(global: &Global) -> Result<(PathBuf, Kubeconfig), Failure> {
    let here = std::env::current_dir().map_err(anyhow::Error::from)?;
    let named = global.kubeconfig.as_deref();
    let path = Kubeconfig::find(named, from_environment(), &here)?;
    let config = Kubeconfig::read(&path)?;
    Ok((path, config))
}

fn from_environment() -> Option<PathBuf> {
    std::env::var_os("KUBECONFIG").map(PathBuf::from).filter(|path| !path.as_os_str().is_empty())
}

/// Returns the folder of the cluster that a command works on: the named one; or the nearest, which all other verbs find
/// too; or `.squall` in this folder, where there is none yet.
pub fn cluster_folder(dir: &DirArgs) -> Result<PathBuf, Failure> {
    let here = std::env::current_dir().map_err(anyhow::Error::from)?;
    let default = Path::new(squall_client::FOLDER);
    Ok(match &dir.dir {
        Some(named) => named.clone(),
        None => squall_client::nearest_folder(&here)
            .filter(|nearest| *nearest != here.join(default))
            .unwrap_or_else(|| default.to_owned()),
    })
}

/// Returns the file that `KUBECONFIG` names, if it is not this cluster's.
pub fn other_kubeconfig(cluster: &Cluster) -> Option<PathBuf> {
    from_environment().filter(|path| path.canonicalize().ok().as_deref() != Some(&cluster.kubeconfig()))
}
