//! Manifests from a web server on this machine.

use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::failure::Failure;

const PATIENCE: Duration = Duration::from_secs(10);
/// Larger responses are refused.
const MAX_BYTES: usize = 8 << 20;

/// Downloads the text at a URL. Only plain HTTP to this machine is allowed.
pub async fn text(url: &str) -> Result<String, Failure> {
    let unable = |problem: &str| Failure::error(format!("unable to read URL {url:?}, {problem}"));
    let uri: Uri = url.parse().map_err(|error: hyper::http::uri::InvalidUri| unable(&error.to_string()))?;
    if uri.scheme_str() != Some("http") {
        return Err(unable("only http:// is supported"));
    }
    let authority = (uri.host().unwrap_or_default(), uri.port_u16().unwrap_or(80));
    let mut addresses = tokio::net::lookup_host(authority).await.map_err(|error| unable(&error.to_string()))?;
    let local = addresses.find(|address: &SocketAddr| address.ip().is_loopback());
    let local = local.ok_or_else(|| unable("only addresses of this machine are allowed"))?;
    match tokio::time::timeout(PATIENCE, ask(local, &uri)).await {
        Ok(Ok(text)) => Ok(text),
        Ok(Err(error)) => Err(unable(&format!("{error:#}"))),
        Err(_) => Err(unable("the request timed out")),
    }
}

async fn ask(address: SocketAddr, uri: &Uri) -> anyhow::Result<String> {
    let stream = TokioIo::new(TcpStream::connect(address).await?);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
    // The connection ends with the response, which also carries its errors.
    tokio::spawn(connection);
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let host = uri.authority().map_or("", |authority| authority.as_str());
    let request = Request::get(path).header("host", host).body(Empty::<Bytes>::new())?;
    let answer = sender.send_request(request).await?;
    anyhow::ensure!(answer.status().is_success(), "server reported {}", answer.status());
    let body = Limited::new(answer.into_body(), MAX_BYTES).collect().await.map_err(|error| anyhow::anyhow!(error))?;
    Ok(String::from_utf8(body.to_bytes().to_vec())?)
}
