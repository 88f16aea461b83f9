//! Kubeconfig files: the standard format, with a list of all apiservers in an extension.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustix::process::geteuid;
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// The name of the extension that lists all apiservers of a cluster.
const ENDPOINTS: &str = "squall.dev/endpoints";

/// The folder of a cluster, unless another one is named.
pub const FOLDER: &str = ".squall";
/// The kubeconfig in a cluster's folder.
const FILE: &str = "kubeconfig";

/// Returns the folder of the nearest cluster: `.squall` in a folder or the nearest above it. Folders of other users are
/// passed over: their clusters could read what is sent to them.
#[must_use]
pub fn nearest_folder(here: &Path) -> Option<PathBuf> {
    let is_ours = |path: &Path| {
        let metadata = path.symlink_metadata();
        metadata.is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == geteuid().as_raw())
    };
    here.ancestors().map(|folder| folder.join(FOLDER)).find(|folder| is_ours(folder))
}

/// A kubeconfig file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Kubeconfig {
    #[serde(rename = "apiVersion", default)]
    api_version: String,
    #[serde(default)]
    kind: String,
    #[serde(rename = "current-context", default)]
    current_context: String,
    clusters: Vec<NamedCluster>,
    contexts: Vec<NamedContext>,
    users: Vec<NamedUser>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct NamedCluster {
    name: String,
    cluster: ClusterFields,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct ClusterFields {
    server: String,
    #[serde(default)]
    certificate_authority_data: String,
    #[serde(default)]
    extensions: Vec<NamedExtension>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct NamedExtension {
    name: String,
    extension: serde_json::Value,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct NamedContext {
    name: String,
    context: ContextFields,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct ContextFields {
    cluster: String,
    user: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct NamedUser {
    name: String,
    user: UserFields,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct UserFields {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    client_certificate_data: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    client_key_data: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    token: String,
}

/// The addresses of a cluster and the credentials of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterEntry {
    /// The name of the cluster and of its context.
    pub name: String,
    /// The URLs of the apiservers: `https://127.64.48.1:6443`.
    pub endpoints: Vec<String>,
    /// The CA's certificate (PEM).
    pub ca: Vec<u8>,
    /// The user's certificate (PEM); empty for one who has a token.
    pub certificate: Vec<u8>,
    /// The key of the user's certificate (PEM).
    pub key: Vec<u8>,
    /// The token of a service account, or empty.
    pub token: String,
    /// The user's name, without the cluster's.
    pub user: String,
    /// The namespace for commands that name none.
    pub namespace: String,
}

impl Kubeconfig {
    /// Creates the file for one cluster and one user.
    #[must_use]
    pub fn of(entry: &ClusterEntry) -> Self {
        let user = format!("{}@{}", entry.user, entry.name);
        let cluster = ClusterFields {
            server: entry.endpoints.first().cloned().unwrap_or_default(),
            certificate_authority_data: STANDARD.encode(&entry.ca),
            extensions: vec![NamedExtension { name: ENDPOINTS.to_owned(), extension: entry.endpoints.clone().into() }],
        };
        let context = ContextFields {
            cluster: entry.name.clone(),
            user: user.clone(),
            namespace: Some(entry.namespace.clone()).filter(|namespace| namespace != "default"),
        };
        let fields = UserFields {
            client_certificate_data: STANDARD.encode(&entry.certificate),
            client_key_data: STANDARD.encode(&entry.key),
            token: entry.token.clone(),
        };
        Self {
            api_version: "v1".to_owned(),
            kind: "Config".to_owned(),
            current_context: entry.name.clone(),
            clusters: vec![NamedCluster { name: entry.name.clone(), cluster }],
            contexts: vec![NamedContext { name: entry.name.clone(), context }],
            users: vec![NamedUser { name: user, user: fields }],
        }
    }

    /// Returns the text of the file: JSON, which is valid YAML.
    #[must_use]
    pub fn to_text(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// Reads and parses a file.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let config = |problem: String| {
            Error::Config(format!("error loading config file {:?}: {problem}", path.display().to_string()))
        };
        let text = std::fs::read_to_string(path).map_err(|error| config(error.to_string()))?;
        let value = squall_api::manifest::parse(&text).map_err(config)?;
        serde_json::from_value(value).map_err(|error| config(error.to_string()))
    }

    /// Returns the file that commands use: the named one, or `KUBECONFIG`, or `.squall/kubeconfig` in this folder or a
    /// parent.
    pub fn find(named: Option<&Path>, from_environment: Option<PathBuf>, here: &Path) -> Result<PathBuf, Error> {
        if let Some(path) = named.map(Path::to_owned).or(from_environment) {
            return Ok(path);
        }
        nearest_folder(here).map(|folder| folder.join(FILE)).filter(|file| file.is_file()).ok_or_else(|| {
            Error::Config(
                "no cluster found: this folder and its parents have no .squall/kubeconfig; start a cluster with \
                 \"ctl cluster up\", or name a kubeconfig with --kubeconfig or KUBECONFIG"
                    .to_owned(),
            )
        })
    }

    /// Returns the cluster and the user of the current context.
    pub fn current(&self) -> Result<ClusterEntry, Error> {
        let missing = |what: &str, name: &str| Error::Config(format!("the kubeconfig has no {what} {name:?}"));
        let context = self.contexts.iter().find(|context| context.name == self.current_context);
        let context = &context.ok_or_else(|| missing("context", &self.current_context))?.context;
        let cluster = self.clusters.iter().find(|cluster| cluster.name == context.cluster);
        let cluster = cluster.ok_or_else(|| missing("cluster", &context.cluster))?;
        let user =
            self.users.iter().find(|user| user.name == context.user).ok_or_else(|| missing("user", &context.user))?;
        let bytes = |what: &str, text: &str| {
            STANDARD
                .decode(text)
                .map_err(|error| Error::Config(format!("the kubeconfig's {what} is not base64: {error}")))
        };
        let listed = cluster.cluster.extensions.iter().find(|extension| extension.name == ENDPOINTS);
        let listed = listed.and_then(|extension| serde_json::from_value(extension.extension.clone()).ok());
        Ok(ClusterEntry {
            name: cluster.name.clone(),
            endpoints: listed.unwrap_or_else(|| vec![cluster.cluster.server.clone()]),
            ca: bytes("certificate-authority-data", &cluster.cluster.certificate_authority_data)?,
            certificate: bytes("client-certificate-data", &user.user.client_certificate_data)?,
            key: bytes("client-key-data", &user.user.client_key_data)?,
            token: user.user.token.clone(),
            user: user.name.split('@').next().unwrap_or_default().to_owned(),
            namespace: context.namespace.clone().unwrap_or_else(|| "default".to_owned()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kubeconfig_reads_back() {
        let entry = ClusterEntry {
            name: "squall".to_owned(),
            endpoints: vec!["https://127.64.48.1:6443".to_owned(), "https://127.64.48.2:6443".to_owned()],
            ca: b"ca".to_vec(),
            certificate: b"certificate".to_vec(),
            key: b"key".to_vec(),
            token: "token".to_owned(),
            user: "admin".to_owned(),
            namespace: "default".to_owned(),
        };
        let text = Kubeconfig::of(&entry).to_text();
        let read: Kubeconfig = serde_json::from_value(squall_api::manifest::parse(&text).unwrap()).unwrap();
        assert_eq!(read.current().unwrap(), entry);
    }

    #[test]
    fn the_nearest_cluster_is_meant() {
        let folder = tempfile::tempdir().unwrap();
        let (outer, inner) = (folder.path().join("a"), folder.path().join("a/b"));
        std::fs::create_dir_all(outer.join(FOLDER)).unwrap();
        std::fs::create_dir_all(&inner).unwrap();
        assert_eq!(nearest_folder(&inner), Some(outer.join(FOLDER)));
        std::os::unix::fs::symlink(outer.join(FOLDER), inner.join(FOLDER)).unwrap();
        assert_eq!(nearest_folder(&inner), Some(outer.join(FOLDER)), "links are passed over, as others' folders are");
        std::fs::remove_file(inner.join(FOLDER)).unwrap();
        std::fs::create_dir(inner.join(FOLDER)).unwrap();
        assert_eq!(nearest_folder(&inner), Some(inner.join(FOLDER)));
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = Kubeconfig::find(None, None, Path::new("/nowhere")).unwrap_err().to_string();
        assert!(error.contains("ctl cluster up"), "{error}");
        let error = Kubeconfig::read(Path::new("/nowhere/x")).unwrap_err().to_string();
        assert!(error.contains("/nowhere/x"), "{error}");
    }
}
