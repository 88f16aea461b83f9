//! TLS: every connection is encrypted. Servers present a certificate of the cluster's CA, and so do clients that
//! authenticate.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
use tonic::transport::{Certificate, ClientTlsConfig, Identity};

/// The name in every apiserver's certificate, whatever its address.
pub const SERVER_NAME: &str = "apiserver.squall";

/// The flags for the certificate files of a process.
#[derive(Debug, Clone, Args)]
pub struct TlsArgs {
    /// CA certificate of the cluster (PEM)
    #[arg(long, value_name = "FILE")]
    ca: PathBuf,

    /// Certificate of this process (PEM)
    #[arg(long, value_name = "FILE")]
    cert: PathBuf,

    /// Private key of the certificate (PEM)
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
}

impl TlsArgs {
    /// Returns the configuration of a server that speaks HTTP/2 and HTTP/1.1. It accepts clients without a certificate
    /// as anonymous and rejects certificates of another CA.
    pub fn server(&self) -> anyhow::Result<ServerConfig> {
        let verifier = WebPkiClientVerifier::builder(Arc::new(self.roots()?)).allow_unauthenticated().build()?;
        let (chain, key) = self.chain()?;
        let mut config = ServerConfig::builder()
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)
            .with_context(|| format!("{} and {} do not match", self.cert.display(), self.key.display()))?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }

    /// Returns the configuration of a client of apiservers.
    pub fn client(&self) -> anyhow::Result<ClientTlsConfig> {
        Ok(ClientTlsConfig::new().identity(self.identity()?).ca_certificate(self.ca()?).domain_name(SERVER_NAME))
    }

    /// Returns the configuration of a client of kubelets, whose certificates name their addresses.
    pub fn client_of_kubelets(&self) -> anyhow::Result<ClientTlsConfig> {
        Ok(ClientTlsConfig::new().identity(self.identity()?).ca_certificate(self.ca()?))
    }

    /// Returns the CA certificate as PEM text.
    pub fn ca_text(&self) -> anyhow::Result<String> {
        String::from_utf8(read(&self.ca)?).with_context(|| format!("{} is not UTF-8", self.ca.display()))
    }

    fn roots(&self) -> anyhow::Result<RootCertStore> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&read(&self.ca)?) {
            let certificate = certificate.with_context(|| format!("{} is not a certificate", self.ca.display()))?;
            roots.add(certificate).with_context(|| format!("{} is not a CA certificate", self.ca.display()))?;
        }
        Ok(roots)
    }

    fn chain(&self) -> anyhow::Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
        let chain = CertificateDer::pem_slice_iter(&read(&self.cert)?).collect::<Result<_, _>>();
        let chain = chain.with_context(|| format!("{} is not a certificate", self.cert.display()))?;
        let key = PrivateKeyDer::from_pem_slice(&read(&self.key)?);
        Ok((chain, key.with_context(|| format!("{} is not a private key", self.key.display()))?))
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
