//! TLS: every connection is encrypted. Servers present a certificate of the cluster's CA, and so do clients that
//! authenticate.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use squall_flags::TlsFlags;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
use tonic::transport::{Certificate, ClientTlsConfig, Identity};

/// The name in every apiserver's certificate, whatever its address.
pub const SERVER_NAME: &str = "apiserver.squall";

/// Returns the configuration of a server that speaks HTTP/2 and HTTP/1.1. It accepts clients without a certificate as
/// anonymous and rejects certificates of another CA.
pub fn server(files: &TlsFlags) -> anyhow::Result<ServerConfig> {
    let verifier = WebPkiClientVerifier::builder(Arc::new(roots(files)?)).allow_unauthenticated().build()?;
    let (chain, key) = chain(files)?;
    let mut config = ServerConfig::builder()
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .with_context(|| format!("{} and {} do not match", files.cert.display(), files.key.display()))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// Returns the configuration of a client of apiservers.
pub fn client(files: &TlsFlags) -> anyhow::Result<ClientTlsConfig> {
    Ok(client_of_kubelets(files)?.domain_name(SERVER_NAME))
}

/// Returns the configuration of a client of kubelets, whose certificates name their addresses.
pub fn client_of_kubelets(files: &TlsFlags) -> anyhow::Result<ClientTlsConfig> {
    let identity = Identity::from_pem(read(&files.cert)?, read(&files.key)?);
    Ok(ClientTlsConfig::new().identity(identity).ca_certificate(Certificate::from_pem(read(&files.ca)?)))
}

/// Returns the CA certificate as PEM text.
pub fn ca_text(files: &TlsFlags) -> anyhow::Result<String> {
    String::from_utf8(read(&files.ca)?).with_context(|| format!("{} is not UTF-8", files.ca.display()))
}

fn roots(files: &TlsFlags) -> anyhow::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&read(&files.ca)?) {
        let certificate = certificate.with_context(|| format!("{} is not a certificate", files.ca.display()))?;
        roots.add(certificate).with_context(|| format!("{} is not a CA certificate", files.ca.display()))?;
    }
    Ok(roots)
}

fn chain(files: &TlsFlags) -> anyhow::Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
    let chain = CertificateDer::pem_slice_iter(&read(&files.cert)?).collect::<Result<_, _>>();
    let chain = chain.with_context(|| format!("{} is not a certificate", files.cert.display()))?;
    let key = PrivateKeyDer::from_pem_slice(&read(&files.key)?);
    Ok((chain, key.with_context(|| format!("{} is not a private key", files.key.display()))?))
}

/// Reads a private key (PEM), as PKCS #8 in DER.
pub fn key_der(path: &Path) -> anyhow::Result<Vec<u8>> {
    let key = PrivateKeyDer::from_pem_slice(&read(path)?);
    let key = key.with_context(|| format!("{} is not a private key", path.display()))?;
    Ok(key.secret_der().to_vec())
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("reading {}", path.display()))
}
