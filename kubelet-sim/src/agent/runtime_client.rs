//! The connection to the runtime, over a Unix socket, which reconnects automatically.

use std::path::Path;

use hyper_util::rt::TokioIo;
use squall_proto::squall::cri::v1::runtime_client::RuntimeClient;
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint, Uri};

/// A client of the runtime. Connects when first used.
pub type Runtime = RuntimeClient<Channel>;

/// Creates a client of the runtime behind this socket.
pub fn connect(socket: &Path) -> Runtime {
    let socket = socket.to_owned();
    // The address is never resolved: the connector opens the socket instead.
    let channel =
        Endpoint::from_static("http://runtime").connect_with_connector_lazy(tower::service_fn(move |_: Uri| {
            let socket = socket.clone();
            async move { UnixStream::connect(socket).await.map(TokioIo::new) }
        }));
    RuntimeClient::new(channel)
}
