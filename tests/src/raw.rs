//! Raw connections to an apiserver: they send and read what no well-behaved client would.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use squall_client::ClusterEntry;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Longest wait for any answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// The protocol that a connection asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2.
    Http2,
}

/// The certificate that a connection presents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    /// Nobody's.
    Anonymous,
    /// That of the kubeconfig's user.
    User,
}

/// Opens connections to the first apiserver of a cluster.
#[derive(Clone)]
pub struct Raw {
    entry: Arc<ClusterEntry>,
    address: String,
    /// Lines of the head of each request, each with its end.
    lines: String,
}

impl Raw {
    /// Prepares connections with the credentials of a kubeconfig.
    pub fn of(entry: ClusterEntry) -> anyhow::Result<Self> {
        let address = entry.endpoints.first().and_then(|url| url.strip_prefix("https://"));
        let address = address.context("no apiserver")?.to_owned();
        Ok(Self { entry: Arc::new(entry), address, lines: String::new() })
    }

    /// Returns the same with one more line in the head of each request: `Impersonate-User: eve`.
    #[must_use]
    pub fn with_line(&self, line: &str) -> Self {
        Self { lines: format!("{}{line}\r\n", self.lines), ..self.clone() }
    }

    /// Connects without a word.
    pub async fn silent(&self) -> anyhow::Result<TcpStream> {
        Ok(TcpStream::connect(&self.address).await?)
    }

    /// Connects and shakes hands.
    pub async fn connect(&self, identity: Identity, protocol: Protocol) -> anyhow::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&self.entry.ca) {
            roots.add(certificate?)?;
        }
        let config = ClientConfig::builder().with_root_certificates(roots);
        let mut config = match identity {
            Identity::Anonymous => config.with_no_client_auth(),
            Identity::User => {
                let chain = CertificateDer::pem_slice_iter(&self.entry.certificate).collect::<Result<_, _>>()?;
                config.with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(&self.entry.key)?)?
            }
        };
        config.alpn_protocols = vec![match protocol {
            Protocol::Http1 => b"http/1.1".to_vec(),
            Protocol::Http2 => b"h2".to_vec(),
        }];
        let name = ServerName::try_from("apiserver.squall")?;
        let stream = tokio::time::timeout(PATIENCE, self.silent()).await??;
        stream.set_nodelay(true)?;
        Ok(tokio::time::timeout(PATIENCE, TlsConnector::from(Arc::new(config)).connect(name, stream)).await??)
    }

    /// Sends one request on a connection of its own. Returns the status code and the answer.
    pub async fn ask(
        &self,
        identity: Identity,
        method: &str,
        path: &str,
        content_type: &str,
        body: &[u8],
    ) -> anyhow::Result<(u16, String)> {
        let mut stream = self.connect(identity, Protocol::Http1).await?;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n{}\r\n",
            body.len(),
            self.lines
        );
        stream.write_all(head.as_bytes()).await?;
        // The server may answer before it has read the body, and close.
        drop(stream.write_all(body).await);
        let mut answer = Vec::new();
        let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await?;
        let text = String::from_utf8_lossy(&answer).into_owned();
        let code = text.split(' ').nth(1).and_then(|code| code.parse().ok());
        match code {
            Some(code) => Ok((code, text)),
            None => Err(anyhow::anyhow!("no answer: {read:?}")),
        }
    }
}
