//! Which cluster a command is for, and in which namespace.

use squall_client::{Client, Kubeconfig};

use crate::cli::Global;
use crate::failure::Failure;

/// A client and a namespace.
pub struct Context {
    pub client: Client,
    pub namespace: String,
}

impl Context {
    /// By the flags, the environment and the folder.
    pub fn find(global: &Global) -> Result<Self, Failure> {
        let here = std::env::current_dir().map_err(anyhow::Error::from)?;
        let path =
            Kubeconfig::find(global.kubeconfig.as_deref(), std::env::var_os("KUBECONFIG").map(Into::into), &here)?;
        let entry = Kubeconfig::read(&path)?.current()?;
        let mut client = Client::new(&entry)?.with_field_manager(env!("CARGO_BIN_NAME"));
        // kubectl: zero is no limit of one's own.
        if let Some(timeout) = global.request_timeout.filter(|timeout| !timeout.is_zero()) {
            client = client.with_deadline(timeout);
        }
        Ok(Self { client, namespace: global.namespace.clone().unwrap_or(entry.namespace) })
    }
}
