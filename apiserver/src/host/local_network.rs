//! The network of this machine: TCP, and TLS over it.

use std::io;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hyper_util::rt::TokioIo;
use squall_daemon::Gateway;
use tokio::net::TcpStream;
use tonic::codegen::http::Uri;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint, Error};

use super::network::Network;

/// A member's TLS client credentials, and its route to kubelets.
#[derive(Debug, Clone)]
pub struct LocalNetwork {
    /// For connections to other members.
    pub members: ClientTlsConfig,
    /// For connections to kubelets.
    pub kubelets: ClientTlsConfig,
    /// Route to nodes and their pods.
    pub gateway: Gateway,
}

impl Network for LocalNetwork {
    fn channel(&self, endpoint: Endpoint) -> Result<Channel, Error> {
        Ok(endpoint.tls_config(self.members.clone())?.tcp_nodelay(true).connect_lazy())
    }

    fn kubelet(&self, endpoint: Endpoint) -> Result<Channel, Error> {
        let gateway = self.gateway;
        let connector = tower::service_fn(move |address: Uri| async move {
            let target = address.authority().map(|authority| authority.as_str().parse());
            let target = target.ok_or(io::ErrorKind::AddrNotAvailable)?.map_err(io::Error::other)?;
            Ok::<_, io::Error>(TokioIo::new(gateway.dial(target).await?))
        });
        Ok(endpoint.tls_config(self.kubelets.clone())?.connect_with_connector_lazy(connector))
    }

    fn gateway(&self) -> Gateway {
        self.gateway
    }

    fn probe(&self, address: String) -> BoxFuture<'static, io::Result<()>> {
        async move { TcpStream::connect(address).await.map(drop) }.boxed()
    }
}
