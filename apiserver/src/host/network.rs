//! A network: how other members and kubelets are reached.

use std::io;

use futures_util::future::BoxFuture;
use squall_daemon::Gateway;
use tonic::transport::{Channel, Endpoint, Error};

/// What connects a member to the others, and to kubelets.
pub trait Network: Send + Sync + 'static {
    /// A connection to a member, made when it is first used and again whenever it has broken.
    fn channel(&self, endpoint: Endpoint) -> Result<Channel, Error>;
    /// A connection to a kubelet, made when it is first used.
    fn kubelet(&self, endpoint: Endpoint) -> Result<Channel, Error>;
    /// How nodes and their pods are reached.
    fn gateway(&self) -> Gateway {
        Gateway::default()
    }
    /// Connects to an address (`127.0.0.1:6443`) and leaves it at that: whether anyone listens there.
    fn probe(&self, address: String) -> BoxFuture<'static, io::Result<()>>;
}
