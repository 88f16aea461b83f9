//! TLS of the servers: every connection is encrypted, and both ends show a certificate of the cluster's CA.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use tonic::transport::{Certificate, ClientTlsConfig, Identity, ServerTlsConfig};

/// The name in every apiserver's certificate, whatever its address.
pub const SERVER_NAME: &str = "apiserver.squall";

/// Where a process finds its certificate.
#[derive(Debug, Clone, Args)]
pub struct TlsArgs {
    /// The CA that signed all certificates of the cluster (PEM)
    #[arg(long, value_name = "FILE")]
    ca: PathBuf,

    /// This process's certificate (PEM)
    #[arg(long, value_name = "FILE")]
    cert: PathBuf,

    /// The key of its certificate (PEM)
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
}

impl TlsArgs {
    /// For a server: clients must show a certificate.
    pub fn server(&self) -> anyhow::Result<ServerTlsConfig> {
        Ok(ServerTlsConfig::new().identity(self.identity()?).client_ca_root(self.ca()?))
    }

    /// For a client of an apiserver.
    pub fn client(&self) -> anyhow::Result<ClientTlsConfig> {
        Ok(ClientTlsConfig::new().identity(self.identity()?).ca_certificate(self.ca()?).domain_name(SERVER_NAME))
    }

    fn ca(&self) -> anyhow::Result<Certificate> {
        Ok(Certificate::from_pem(read(&self.ca)?))
    }

    fn identity(&self) -> anyhow::Result<Identity> {
        Ok(Identity::from_pem(read(&self.cert)?, read(&self.key)?))
    }
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("reading {}", path.display()))
}
