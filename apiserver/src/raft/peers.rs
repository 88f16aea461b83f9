//! Connections to the other members: one for each, opened on first use and reconnected automatically.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use squall_proto::squall::raft::v1::raft_client::RaftClient;
use tonic::transport::{Channel, Endpoint, Error};

use crate::host::Network;

/// Maximum message size. The largest message is an append of `MAX_APPEND_ENTRIES` of the largest commands.
pub const MAX_MESSAGE_BYTES: usize = 256 << 20;
const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
/// Interval of keepalive pings on a silent connection, which is closed if no answer arrives in time.
const KEEPALIVE: Duration = Duration::from_secs(1);

/// The connections of one member.
#[derive(Clone)]
pub struct Peers {
    network: Arc<dyn Network>,
    /// Port to use instead of the members' own, to reach them through links.
    link_port: Option<u16>,
    channels: Arc<Mutex<HashMap<String, Channel>>>,
}

impl Peers {
    /// Creates an empty set of connections.
    #[must_use]
    pub fn new(network: Arc<dyn Network>, link_port: Option<u16>) -> Self {
        Self { network, link_port, channels: Arc::default() }
    }

    /// Returns where to reach the member at an address.
    pub fn route<'a>(&self, address: &'a str) -> Cow<'a, str> {
        match (self.link_port, address.rsplit_once(':')) {
            (Some(port), Some((host, _))) => format!("{host}:{port}").into(),
            _ => address.into(),
        }
    }

    /// Returns the network of these connections.
    pub fn network(&self) -> &dyn Network {
        self.network.as_ref()
    }

    /// Returns a client for the member at an address (`https://127.0.0.1:6443`).
    pub fn client(&self, address: &str) -> Result<RaftClient<Channel>, Error> {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        let channel = match channels.get(address) {
            Some(channel) => channel.clone(),
            None => {
                let channel = self.network.channel(endpoint(&self.route(address))?)?;
                channels.insert(address.to_owned(), channel.clone());
                channel
            }
        };
        Ok(RaftClient::new(channel)
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES))
    }
}

fn endpoint(address: &str) -> Result<Endpoint, Error> {
    Ok(Endpoint::from_shared(address.to_owned())?
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE)
        .keep_alive_while_idle(true))
}
