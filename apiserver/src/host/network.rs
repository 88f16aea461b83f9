//! A network: connections to other members and to kubelets.

use std::io;

use futures_util::future::BoxFuture;
use squall_daemon::Gateway;
use tonic::transport::{Channel, Endpoint, Error};

/// Connects a member to the other members and to kubelets.
pub trait Network: Send + Sync + 'static {
    /// Returns a connection to a member. It connects on first use and reconnects when it breaks.
    fn channel(&self, endpoint: Endpoint) -> Result<Channel, Error>;
    /// Returns a connection to a kubelet. It connects on first use.
    fn kubelet(&self, endpoint: Endpoint) -> Result<Channel, Error>;
    /// Returns the route to nodes and their pods.
    fn gateway(&self) -> Gateway {
        Gateway::default()
    }
    /// Connects to an address (`127.0.0.1:6443`) and disconnects, to check whether anyone listens there.
    fn probe(&self, address: String) -> BoxFuture<'static, io::Result<()>>;
}
