//! The cluster and the namespace that a command works on.

use squall_client::{Client, Kubeconfig};

use crate::cli::Global;
use crate::failure::Failure;
use crate::request_log;

/// A client and a namespace.
pub struct Context {
    pub client: Client,
    pub namespace: String,
    /// The namespace given with `--namespace`, if any.
    pub asked_namespace: Option<String>,
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
        let namespace = global.namespace.clone().unwrap_or(entry.namespace);
        Ok(Self { client, namespace, asked_namespace: global.namespace.clone() })
    }
}

/// The path and the content of the kubeconfig in use.
pub fn kubeconfig(global: &Global) -> Result<(std::path::PathBuf, Kubeconfig), Failure> {
    let here = std::env::current_dir().map_err(anyhow::Error::from)?;
    let named = global.kubeconfig.as_deref();
    let path = Kubeconfig::find(named, std::env::var_os("KUBECONFIG").map(Into::into), &here)?;
    let config = Kubeconfig::read(&path)?;
    Ok((path, config))
}
