//! The network of this machine: TCP, and TLS over it.

use std::io;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::net::TcpStream;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint, Error};

use super::network::Network;

/// What a member shows itself to others by.
#[derive(Debug, Clone)]
pub struct LocalNetwork {
    /// As a client of other members.
    pub members: ClientTlsConfig,
    /// As a client of kubelets.
    pub kubelets: ClientTlsConfig,
}

impl Network for LocalNetwork {
    fn channel(&self, endpoint: Endpoint) -> Result<Channel, Error> {
        Ok(endpoint.tls_config(self.members.clone())?.tcp_nodelay(true).connect_lazy())
    }

    fn kubelet(&self, endpoint: Endpoint) -> Result<Channel, Error> {
        Ok(endpoint.tls_config(self.kubelets.clone())?.connect_lazy())
    }

    fn probe(&self, address: String) -> BoxFuture<'static, io::Result<()>> {
        async move { TcpStream::connect(address).await.map(drop) }.boxed()
    }
}
