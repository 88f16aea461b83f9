//! A client of a cluster. It uses any apiserver and fails over to the next. A write carries a request id, so that a
//! retry does not apply it twice. The requests themselves are in `requests`.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use squall_api::error::Reason;
use squall_api::timing::later;
use squall_api::{Kind, Object};
use squall_proto::squall::api::v1 as proto;
use squall_proto::squall::api::v1::objects_client::ObjectsClient;
use tokio::time::Instant;
use tonic::transport::{Certificate, ClientTlsConfig, Identity};
use tonic::{Code, Request, Response, Status};
use uuid::Uuid;

use crate::bearer::{Bearer, Wire};
use crate::endpoints::{Connect, Endpoints, over_tls};
use crate::error::Error;
use crate::kubeconfig::ClusterEntry;
use crate::status::api_error;
use crate::trace::Observer;

/// The name in every apiserver's certificate.
const SERVER_NAME: &str = "apiserver.squall";
/// The default deadline of a call, including retries.
const DEADLINE: Duration = Duration::from_secs(15);
/// The deadline of a persistent client: practically none.
const PERSISTENT: Duration = Duration::from_secs(24 * 60 * 60);
/// The longest timeout of one attempt at one apiserver.
const ATTEMPT: Duration = Duration::from_secs(12);
/// The pause after each round of attempts at all apiservers.
const PAUSE: Duration = Duration::from_millis(50);
/// The maximum size of a reply. Lists of many objects are large.
const MAX_REPLY_BYTES: usize = 1 << 30;

/// Waits until the change of an object (by its kind, namespace and name) may be delivered to a watch.
pub type Gate = Arc<dyn Fn(Kind, &str, &str) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// A client of a cluster. Clones share their connections.
#[derive(Clone)]
pub struct Client {
    endpoints: Arc<Endpoints>,
    /// Makes the server reject writes once another leader is elected.
    fence: Option<proto::Fence>,
    /// The recorded owner of the fields that it writes; empty for none.
    field_manager: &'static str,
    deadline: Duration,
    /// Called after each request.
    pub(crate) observer: Option<Observer>,
    /// Delays the events of watches.
    gate: Option<Gate>,
}

impl Client {
    /// Creates a client of the cluster. It connects on first use.
    pub fn new(entry: &ClusterEntry) -> Result<Self, Error> {
        let mut tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(&entry.ca)).domain_name(SERVER_NAME);
        if !entry.certificate.is_empty() {
            tls = tls.identity(Identity::from_pem(&entry.certificate, &entry.key));
        }
        Self::with_bearer(&entry.endpoints, over_tls(tls, None), Bearer::of(&entry.token)?)
    }

    /// Creates a client of these apiservers that connects in this way.
    pub fn connect(endpoints: &[String], connect: Connect) -> Result<Self, Error> {
        Self::with_bearer(endpoints, connect, Bearer::default())
    }

    fn with_bearer(endpoints: &[String], connect: Connect, bearer: Bearer) -> Result<Self, Error> {
        let endpoints = Arc::new(Endpoints::new(endpoints, connect)?.showing(bearer));
        Ok(Self { endpoints, fence: None, field_manager: "", deadline: DEADLINE, observer: None, gate: None })
    }

    /// Returns the same client, on the same connections, which tries this apiserver first (an index into the
    /// endpoints).
    #[must_use]
    pub fn beginning_with(&self, place: usize) -> Self {
        Self { endpoints: Arc::new(self.endpoints.beginning_with(place)), ..self.clone() }
    }

    /// Returns the same client with a fence: its writes are rejected once another leader is elected.
    #[must_use]
    pub fn fenced(&self, fence: proto::Fence) -> Self {
        Self { fence: Some(fence), ..self.clone() }
    }

    /// Returns the same client, whose writes make this manager the owner of the fields that they change.
    #[must_use]
    pub fn with_field_manager(&self, field_manager: &'static str) -> Self {
        Self { field_manager, ..self.clone() }
    }

    /// Returns the same client with another deadline for each call.
    #[must_use]
    pub fn with_deadline(&self, deadline: Duration) -> Self {
        Self { deadline, ..self.clone() }
    }

    /// Returns the same client, which retries a request under the same request id until its outcome is known. A caller
    /// that gives up and decides anew may find that both writes were applied: an apiserver that was frozen applies the
    /// first one late.
    #[must_use]
    pub fn persistent(&self) -> Self {
        self.with_deadline(PERSISTENT)
    }

    /// Returns the same client, which reports each request to this observer.
    #[must_use]
    pub fn observed_by(&self, observer: Observer) -> Self {
        Self { observer: Some(observer), ..self.clone() }
    }

    /// Returns the same client, whose watches deliver a change only after it has passed this gate.
    #[must_use]
    pub fn gated(&self, gate: Gate) -> Self {
        Self { gate: Some(gate), ..self.clone() }
    }

    pub(crate) async fn pass_gate(&self, object: &Object) {
        if let Some(gate) = &self.gate {
            gate(object.kind(), &object.meta().namespace, &object.meta().name).await;
        }
    }

    /// Returns the URLs of the apiservers.
    #[must_use]
    pub fn endpoints(&self) -> Vec<String> {
        self.endpoints.addresses()
    }

    pub(crate) fn replace_endpoints(&self, addresses: &[String]) -> Result<(), Error> {
        self.endpoints.replace(addresses)
    }

    /// Returns the connections to the apiservers, starting with the one that answered last.
    pub(crate) fn channels(&self) -> Vec<(String, Wire)> {
        self.endpoints.in_order()
    }

    pub(crate) fn field_manager(&self) -> &'static str {
        self.field_manager
    }

    pub(crate) fn deadline(&self) -> Duration {
        self.deadline
    }

    /// Tries once to open a watch on the apiserver that answered last. Also returns the index of that apiserver.
    pub(crate) async fn watch(
        &self,
        request: proto::WatchRequest,
    ) -> Result<(usize, tonic::Streaming<proto::WatchReply>), Error> {
        let (place, mut client) = self.objects();
        match tokio::time::timeout(ATTEMPT, client.watch(request)).await {
            Ok(Ok(stream)) => Ok((place, stream.into_inner())),
            Ok(Err(status)) => {
                if from_transport(&status) {
                    self.endpoints.leave(place);
                    return Err(unreachable(&self.endpoints(), &status));
                }
                let error = api_error(&status);
                if error.is(Reason::ServiceUnavailable) || error.is(Reason::Timeout) {
                    self.endpoints.leave(place);
                }
                Err(error.into())
            }
            Err(_) => {
                self.endpoints.leave(place);
                Err(unreachable(&self.endpoints(), &Status::deadline_exceeded("no answer in time")))
            }
        }
    }

    /// Switches to another apiserver, unless another caller has already. A watch does so after its stream broke.
    pub(crate) fn leave(&self, place: usize) {
        self.endpoints.leave(place);
    }

    pub(crate) fn options(&self, options: proto::WriteOptions) -> proto::WriteOptions {
        proto::WriteOptions {
            request_id: match options.request_id.is_empty() {
                true => Uuid::new_v4().into_bytes().to_vec().into(),
                false => options.request_id,
            },
            fence: self.fence.clone().or(options.fence),
            field_manager: match options.field_manager.is_empty() {
                true => self.field_manager.to_owned(),
                false => options.field_manager,
            },
            ..options
        }
    }

    /// Returns the timeout of one attempt. An apiserver that does not answer must leave time for another.
    fn attempt(&self) -> Duration {
        let share = if self.endpoints.len() > 1 {
            self.deadline.min(DEADLINE).checked_div(2).unwrap_or_default()
        } else {
            self.deadline
        };
        share.min(ATTEMPT)
    }

    fn objects(&self) -> (usize, ObjectsClient<Wire>) {
        let (place, channel) = self.endpoints.current();
        (place, ObjectsClient::new(channel).max_decoding_message_size(MAX_REPLY_BYTES))
    }

    /// Tries one apiserver after the other until one answers or the deadline passes. An apiserver without a quorum
    /// counts as unreachable. If an apiserver lags behind the requested version, the next is tried; if all lag, the
    /// call fails.
    pub(crate) async fn call<Q: Clone, A, F>(
        &self,
        request: Q,
        call: impl Fn(ObjectsClient<Wire>, Request<Q>) -> F,
    ) -> Result<A, Error>
    where
        F: Future<Output = Result<Response<A>, Status>>,
    {
        let deadline = later(Instant::now(), self.deadline);
        let (mut refused, mut lagging) = (0_usize, 0_usize);
        for attempt in 1.. {
            let (place, client) = self.objects();
            let left = deadline.saturating_duration_since(Instant::now()).min(self.attempt());
            let mut attempt_request = Request::new(request.clone());
            attempt_request.set_timeout(left);
            let status = match tokio::time::timeout(left, call(client, attempt_request)).await {
                Ok(Ok(reply)) => return Ok(reply.into_inner()),
                Ok(Err(status)) if !from_transport(&status) && status.code() != Code::Unavailable => {
                    let error = api_error(&status);
                    lagging = lagging.saturating_add(usize::from(error.is(Reason::Timeout)));
                    if !error.is(Reason::Timeout) || lagging >= self.endpoints.len() {
                        return Err(error.into());
                    }
                    status
                }
                Ok(Err(status)) => status,
                Err(_) => no_answer(),
            };
            self.endpoints.leave(place);
            refused = refused.saturating_add(usize::from(is_refused(&status)));
            let all_refused = refused == attempt && attempt >= self.endpoints.len().saturating_mul(2);
            if Instant::now() >= deadline || all_refused {
                return Err(unreachable(&self.endpoints(), &status));
            }
            if attempt.checked_rem(self.endpoints.len()) == Some(0) {
                tokio::time::sleep(PAUSE.min(deadline.saturating_duration_since(Instant::now()))).await;
            }
        }
        Err(Error::Config("no attempt was made".to_owned()))
    }
}

pub(super) fn no_answer() -> Status {
    Status::deadline_exceeded("no answer in time")
}

/// Whether a status comes from the connection and not from an apiserver's handler, which always sends details.
fn from_transport(status: &Status) -> bool {
    status.details().is_empty()
        && matches!(
            status.code(),
            Code::Unavailable | Code::Unknown | Code::Cancelled | Code::DeadlineExceeded | Code::Internal
        )
}

fn is_refused(status: &Status) -> bool {
    let mut source: Option<&dyn std::error::Error> = Some(status);
    while let Some(error) = source {
        if error
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused)
        {
            return true;
        }
        source = error.source();
    }
    false
}

pub(super) fn unreachable(endpoints: &[String], status: &Status) -> Error {
    Error::Unreachable {
        endpoints: endpoints.to_vec(),
        reason: status.message().to_owned(),
        refused: is_refused(status),
    }
}
