//! Connections to the other members: one for each, made when first needed, mended by itself.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use squall_proto::squall::raft::v1::raft_client::RaftClient;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};

/// Larger messages are refused. The largest is an append of `MAX_APPEND_ENTRIES` of the largest commands.
pub const MAX_MESSAGE_BYTES: usize = 256 << 20;
const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
/// A silent connection is asked for a sign of life this often, and closed when none comes in time.
const KEEPALIVE: Duration = Duration::from_secs(1);

/// The connections of one member.
#[derive(Clone)]
pub struct Peers {
    tls: ClientTlsConfig,
    channels: Arc<Mutex<HashMap<String, Channel>>>,
}

impl Peers {
    /// No connection yet.
    #[must_use]
    pub fn new(tls: ClientTlsConfig) -> Self {
        Self { tls, channels: Arc::default() }
    }

    /// A client of the member at an address (`https://127.0.0.1:6443`).
    pub fn client(&self, address: &str) -> Result<RaftClient<Channel>, tonic::transport::Error> {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        let channel = match channels.get(address) {
            Some(channel) => channel.clone(),
            None => {
                let channel = connect_lazily(address, &self.tls)?;
                channels.insert(address.to_owned(), channel.clone());
                channel
            }
        };
        Ok(RaftClient::new(channel)
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES))
    }
}

fn connect_lazily(address: &str, tls: &ClientTlsConfig) -> Result<Channel, tonic::transport::Error> {
    let endpoint = Endpoint::from_shared(address.to_owned())?
        .tls_config(tls.clone())?
        .tcp_nodelay(true)
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE)
        .keep_alive_while_idle(true);
    Ok(endpoint.connect_lazy())
}
