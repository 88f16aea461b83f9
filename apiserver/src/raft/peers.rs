//! Connections to the other members: one for each, made when first needed, mended by itself.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use squall_proto::squall::raft::v1::raft_client::RaftClient;
use tonic::transport::{Channel, Endpoint, Error};

use crate::host::Network;

/// Larger messages are refused. The largest is an append of `MAX_APPEND_ENTRIES` of the largest commands.
pub const MAX_MESSAGE_BYTES: usize = 256 << 20;
const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
/// A silent connection is asked for a sign of life this often, and closed when none comes in time.
const KEEPALIVE: Duration = Duration::from_secs(1);

/// The connections of one member.
#[derive(Clone)]
pub struct Peers {
    network: Arc<dyn Network>,
    /// The port at which they are reached, if it is not their own.
    link_port: Option<u16>,
    channels: Arc<Mutex<HashMap<String, Channel>>>,
}

impl Peers {
    /// No connection yet.
    #[must_use]
    pub fn new(network: Arc<dyn Network>, link_port: Option<u16>) -> Self {
        Self { network, link_port, channels: Arc::default() }
    }

    /// Where the member of an address is reached.
    pub fn route<'a>(&self, address: &'a str) -> Cow<'a, str> {
        match (self.link_port, address.rsplit_once(':')) {
            (Some(port), Some((host, _))) => format!("{host}:{port}").into(),
            _ => address.into(),
        }
    }

    /// The network that they go over.
    pub fn network(&self) -> &dyn Network {
        self.network.as_ref()
    }

    /// A client of the member at an address (`https://127.0.0.1:6443`).
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
