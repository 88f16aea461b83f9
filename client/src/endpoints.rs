//! The apiservers that a client knows, the connections to them, and the one that answered last.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use hyper_util::client::legacy::connect::HttpConnector;
use squall_api::Kind;
use squall_api::discovery::v1::EndpointSlice;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint, Error as TransportError, Uri};
use tower::Service as _;

use crate::bearer::{Bearer, Wire};
use crate::client::Client;
use crate::error::Error;
use crate::watch::{Event, Selection, Watch};

/// The timeout of a connection, including TLS: the kernel accepts connections on behalf of a frozen process.
const CONNECT: Duration = Duration::from_secs(1);
const KEEPALIVE: Duration = Duration::from_secs(2);

/// Creates a connection that connects on first use and reconnects whenever it breaks.
pub type Connect = Arc<dyn Fn(Endpoint) -> Result<Channel, TransportError> + Send + Sync>;

/// An address (`https://127.64.48.1:6443`) and its connection, which connects on first use.
type Connected = (String, Channel);

/// The known apiservers; never empty.
pub struct Endpoints {
    list: ArcSwap<Vec<Connected>>,
    /// The index of the apiserver that answered last.
    current: AtomicUsize,
    connect: Connect,
    bearer: Bearer,
}

impl Endpoints {
    /// Starts with a random apiserver, so that clients spread.
    pub fn new(addresses: &[String], connect: Connect) -> Result<Self, Error> {
        let list = addresses.iter().map(|address| connected(address, &connect)).collect::<Result<Vec<_>, _>>()?;
        if list.is_empty() {
            return Err(Error::Config("the kubeconfig names no apiserver".to_owned()));
        }
        let current = AtomicUsize::new(fastrand::usize(..list.len()));
        Ok(Self { list: ArcSwap::from_pointee(list), current, connect, bearer: Bearer::default() })
    }

    /// Shows this token with each request.
    pub fn showing(self, bearer: Bearer) -> Self {
        Self { bearer, ..self }
    }

    /// Returns the same connections, starting with this index.
    pub fn beginning_with(&self, place: usize) -> Self {
        let list = ArcSwap::new(self.list.load_full());
        Self { list, current: AtomicUsize::new(place), connect: self.connect.clone(), bearer: self.bearer.clone() }
    }

    pub fn addresses(&self) -> Vec<String> {
        self.list.load().iter().map(|(address, _)| address.clone()).collect()
    }

    pub fn len(&self) -> usize {
        self.list.load().len()
    }

    /// Returns the index of the current apiserver, and its connection.
    pub fn current(&self) -> (usize, Wire) {
        let list = self.list.load();
        let place = self.current.load(Ordering::Relaxed).checked_rem(list.len()).unwrap_or(0);
        (place, self.wire(&list[place].1))
    }

    /// Returns all apiservers, starting with the one that answered last.
    pub fn in_order(&self) -> Vec<(String, Wire)> {
        let list = self.list.load();
        let current = self.current.load(Ordering::Relaxed).checked_rem(list.len()).unwrap_or(0);
        let mut wires: Vec<_> = list.iter().map(|(address, channel)| (address.clone(), self.wire(channel))).collect();
        wires.rotate_left(current);
        wires
    }

    fn wire(&self, channel: &Channel) -> Wire {
        Wire::new(channel.clone(), self.bearer.clone())
    }

    /// Switches to the next apiserver, unless another caller has already.
    pub fn leave(&self, place: usize) {
        let len = self.len();
        // The list may have become shorter since the index was stored.
        let turned = |current: usize| {
            let is_current = current.checked_rem(len) == place.checked_rem(len);
            place.saturating_add(1).checked_rem(len).filter(|_| is_current)
        };
        // No change means that another caller has switched.
        let _ = self.current.fetch_update(Ordering::Relaxed, Ordering::Relaxed, turned);
    }

    /// Replaces the list of apiservers, unless the new one is empty. Keeps the connections to those that stay.
    pub fn replace(&self, addresses: &[String]) -> Result<(), Error> {
        let old = self.list.load();
        if addresses.is_empty() || old.iter().map(|(address, _)| address).eq(addresses) {
            return Ok(());
        }
        let kept = |address: &String| old.iter().find(|(old, _)| old == address).cloned();
        let list = addresses.iter().map(|address| kept(address).map_or_else(|| connected(address, &self.connect), Ok));
        self.list.store(Arc::new(list.collect::<Result<_, _>>()?));
        Ok(())
    }
}

fn connected(address: &str, connect: &Connect) -> Result<Connected, Error> {
    let channel = || -> Result<Channel, TransportError> {
        connect(
            Endpoint::from_shared(address.to_owned())?
                .connect_timeout(CONNECT)
                .http2_keep_alive_interval(KEEPALIVE)
                .keep_alive_timeout(KEEPALIVE)
                .keep_alive_while_idle(true),
        )
    };
    let channel = channel().map_err(|error| Error::Config(format!("setting up a connection to {address}: {error}")))?;
    Ok((address.to_owned(), channel))
}

/// Connects over TCP with TLS. `link_port` replaces the port of each apiserver, to connect over a link.
pub fn over_tls(tls: ClientTlsConfig, link_port: Option<u16>) -> Connect {
    // With tonic's own connector, the connect timeout would cover only TCP.
    Arc::new(move |endpoint| {
        let endpoint = endpoint.tls_config(tls.clone())?;
        let Some(port) = link_port else { return Ok(endpoint.connect_with_connector_lazy(tcp())) };
        let linked = move |address: Uri| {
            let connected = at_port(address, port).map(|address| tcp().call(address));
            async move { connected.map_err(BoxError::from)?.await.map_err(BoxError::from) }
        };
        Ok(endpoint.connect_with_connector_lazy(tower::service_fn(linked)))
    })
}

fn at_port(address: Uri, port: u16) -> Result<Uri, http::Error> {
    let host = address.host().unwrap_or_default().to_owned();
    let mut parts = address.into_parts();
    parts.authority = Some(format!("{host}:{port}").parse()?);
    Ok(Uri::from_parts(parts)?)
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

fn tcp() -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector
}

impl Client {
    /// Follows the endpoints of the `kubernetes` service and updates the list of apiservers. Returns only on an error
    /// that a retry cannot fix.
    pub async fn follow_apiservers(&self) -> Error {
        let selection = Selection {
            kind: Kind::EndpointSlice,
            namespace: "default".to_owned(),
            labels: String::new(),
            fields: "metadata.name=kubernetes".to_owned(),
        };
        let mut watch = Watch::new(self.clone(), selection);
        loop {
            let object = match watch.next().await {
                Ok(Event::Applied(object, _)) => object,
                Ok(_) => continue,
                Err(error) => return error,
            };
            // The leader corrects invalid addresses in the slice.
            if let Ok(slice) = EndpointSlice::try_from(*object)
                && let Err(error) = self.replace_endpoints(&addresses(&slice))
            {
                tracing::warn!(%error, "keeping the known apiservers");
            }
        }
    }
}

fn addresses(slice: &EndpointSlice) -> Vec<String> {
    let Some(port) = slice.ports.first().and_then(|port| port.port) else { return Vec::new() };
    let hosts = slice.endpoints.iter().flat_map(|endpoint| &endpoint.addresses);
    hosts.map(|host| format!("https://{host}:{port}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Vec<String> {
        text.split_whitespace().map(|host| format!("https://{host}:6443")).collect()
    }

    #[tokio::test]
    async fn the_list_is_replaced_but_never_by_nothing() {
        let endpoints = Endpoints::new(&list("a b c"), over_tls(ClientTlsConfig::new(), None)).unwrap();
        endpoints.current.store(2, Ordering::Relaxed);
        endpoints.replace(&list("b")).unwrap();
        assert_eq!((endpoints.addresses(), endpoints.current().0), (list("b"), 0));
        endpoints.replace(&[]).unwrap();
        assert_eq!(endpoints.addresses(), list("b"));
        endpoints.replace(&list("b d")).unwrap();
        endpoints.leave(endpoints.current().0);
        assert_eq!(endpoints.in_order().into_iter().map(|(address, _)| address).collect::<Vec<_>>(), list("d b"));
        assert!(Endpoints::new(&[], over_tls(ClientTlsConfig::new(), None)).is_err());
    }
}
