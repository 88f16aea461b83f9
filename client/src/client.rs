//! A client of a cluster: any apiserver will do, and when one is gone the next is asked. A write carries a request id,
//! so that it can be asked again without being done twice. What can be asked is in `requests`.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use squall_api::error::Reason;
use squall_api::{Kind, Object};
use squall_proto::squall::api::v1 as proto;
use squall_proto::squall::api::v1::objects_client::ObjectsClient;
use tokio::time::Instant;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Identity};
use tonic::{Code, Request, Response, Status};
use uuid::Uuid;

use crate::endpoints::{Connect, Endpoints, over_tls};
use crate::error::Error;
use crate::kubeconfig::ClusterEntry;
use crate::trace::Observer;

/// The name in every apiserver's certificate.
const SERVER_NAME: &str = "apiserver.squall";
/// A call that has not succeeded after this time has failed.
const DEADLINE: Duration = Duration::from_secs(15);
/// As good as for ever.
const PERSISTENT: Duration = Duration::from_secs(24 * 60 * 60);
/// One apiserver is given this long for one attempt.
const ATTEMPT: Duration = Duration::from_secs(12);
/// The wait between attempts, when every apiserver has been asked once.
const PAUSE: Duration = Duration::from_millis(50);
/// Lists of many objects are large.
const MAX_REPLY_BYTES: usize = 1 << 30;

/// Waits until what happened to an object (its kind, namespace and name) may be told.
pub type Gate = Arc<dyn Fn(Kind, &str, &str) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// A client. Clones share their connections.
#[derive(Clone)]
pub struct Client {
    endpoints: Arc<Endpoints>,
    /// Writes are refused when another is elected.
    fence: Option<proto::Fence>,
    /// Who is recorded as the owner of the fields it writes; empty: nobody.
    field_manager: &'static str,
    deadline: Duration,
    /// Is told of what was asked.
    pub(crate) observer: Option<Observer>,
    /// Lets through what watches are told.
    gate: Option<Gate>,
}

impl Client {
    /// A client of the cluster. Connects when first used.
    pub fn new(entry: &ClusterEntry) -> Result<Self, Error> {
        let tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(&entry.ca))
            .identity(Identity::from_pem(&entry.certificate, &entry.key))
            .domain_name(SERVER_NAME);
        Self::connect(&entry.endpoints, over_tls(tls, None))
    }

    /// A client of these apiservers, reached in this way.
    pub fn connect(endpoints: &[String], connect: Connect) -> Result<Self, Error> {
        let endpoints = Arc::new(Endpoints::new(endpoints, connect)?);
        Ok(Self { endpoints, fence: None, field_manager: "", deadline: DEADLINE, observer: None, gate: None })
    }

    /// The same client on the same connections, which asks this apiserver first (by its place among the endpoints).
    #[must_use]
    pub fn beginning_with(&self, place: usize) -> Self {
        Self { endpoints: Arc::new(self.endpoints.beginning_with(place)), ..self.clone() }
    }

    /// The same client, whose writes are refused once another is elected.
    #[must_use]
    pub fn fenced(&self, fence: proto::Fence) -> Self {
        Self { fence: Some(fence), ..self.clone() }
    }

    /// The same client, whose writes make this manager the owner of the fields that they change.
    #[must_use]
    pub fn with_field_manager(&self, field_manager: &'static str) -> Self {
        Self { field_manager, ..self.clone() }
    }

    /// The same client with another deadline for each call.
    #[must_use]
    pub fn with_deadline(&self, deadline: Duration) -> Self {
        Self { deadline, ..self.clone() }
    }

    /// The same client, which goes on asking, under the same request id, until it is known what became of a request. Who gives up
    /// and decides anew may find that both were done: what it asked of an apiserver that was frozen comes late.
    #[must_use]
    pub fn persistent(&self) -> Self {
        self.with_deadline(PERSISTENT)
    }

    /// The same client, which tells this observer of each request.
    #[must_use]
    pub fn observed_by(&self, observer: Observer) -> Self {
        Self { observer: Some(observer), ..self.clone() }
    }

    /// The same client, whose watches tell of an object when this gate lets it through.
    #[must_use]
    pub fn gated(&self, gate: Gate) -> Self {
        Self { gate: Some(gate), ..self.clone() }
    }

    pub(crate) async fn pass_gate(&self, object: &Object) {
        if let Some(gate) = &self.gate {
            gate(object.kind(), &object.meta().namespace, &object.meta().name).await;
        }
    }

    /// The apiservers.
    #[must_use]
    pub fn endpoints(&self) -> Vec<String> {
        self.endpoints.addresses()
    }

    pub(crate) fn replace_endpoints(&self, addresses: &[String]) -> Result<(), Error> {
        self.endpoints.replace(addresses)
    }

    /// The connections to the apiservers, beginning with the one that answered last.
    pub(crate) fn channels(&self) -> Vec<(String, Channel)> {
        self.endpoints.in_order()
    }

    pub(crate) fn field_manager(&self) -> &'static str {
        self.field_manager
    }

    pub(crate) fn deadline(&self) -> Duration {
        self.deadline
    }

    /// One attempt at a watch, on the apiserver that answered last, and that one's place.
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
                let error = squall_api::Error::from(status);
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

    /// Turns to another apiserver, as a watch does whose stream from this one broke; unless someone else has already.
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

    /// How long one apiserver is given: one that says nothing must leave time for another.
    fn attempt(&self) -> Duration {
        let share = if self.endpoints.len() > 1 { self.deadline.min(DEADLINE) / 2 } else { self.deadline };
        share.min(ATTEMPT)
    }

    fn objects(&self) -> (usize, ObjectsClient<Channel>) {
        let (place, channel) = self.endpoints.current();
        (place, ObjectsClient::new(channel).max_decoding_message_size(MAX_REPLY_BYTES))
    }

    /// Asks one apiserver after the other until one answers or the deadline has come. An apiserver without a quorum
    /// counts as gone; one that lags behind what was asked for is left for the next, but if all do, that is the answer.
    pub(crate) async fn call<Q: Clone, A, F>(
        &self,
        request: Q,
        call: impl Fn(ObjectsClient<Channel>, Request<Q>) -> F,
    ) -> Result<A, Error>
    where
        F: Future<Output = Result<Response<A>, Status>>,
    {
        let deadline = Instant::now() + self.deadline;
        let (mut refused, mut lagging) = (0, 0);
        for attempt in 1.. {
            let (place, client) = self.objects();
            let left = deadline.saturating_duration_since(Instant::now()).min(self.attempt());
            let mut attempt_request = Request::new(request.clone());
            attempt_request.set_timeout(left);
            let status = match tokio::time::timeout(left, call(client, attempt_request)).await {
                Ok(Ok(reply)) => return Ok(reply.into_inner()),
                Ok(Err(status)) if !from_transport(&status) && status.code() != Code::Unavailable => {
                    let error = squall_api::Error::from(status.clone());
                    lagging += usize::from(error.is(Reason::Timeout));
                    if !error.is(Reason::Timeout) || lagging >= self.endpoints.len() {
                        return Err(error.into());
                    }
                    status
                }
                Ok(Err(status)) => status,
                Err(_) => no_answer(),
            };
            self.endpoints.leave(place);
            refused += usize::from(is_refused(&status));
            let all_refused = refused == attempt && attempt >= self.endpoints.len() * 2;
            if Instant::now() >= deadline || all_refused {
                return Err(unreachable(&self.endpoints(), &status));
            }
            if attempt % self.endpoints.len() == 0 {
                tokio::time::sleep(PAUSE.min(deadline.saturating_duration_since(Instant::now()))).await;
            }
        }
        Err(Error::Config("no attempt was made".to_owned()))
    }
}

pub(super) fn no_answer() -> Status {
    Status::deadline_exceeded("no answer in time")
}

/// Whether a status comes from the connection and not from an apiserver's handler, which always gives a reason.
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
