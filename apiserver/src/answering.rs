//! Holds the share of one request until its answer has been read.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Method, Request, Response};
use squall_api::Error;
use squall_daemon::identity::Caller;
use tonic::body::Body;
use tower::{Service, ServiceExt};

use crate::bounds::too_long;
use crate::fairness::{AnswerBytes, Fairness, Level, Room, Seat};
use crate::refusal::refusal;

/// Length of an answer of unknown length. It is written little by little, and no more than this waits to be read.
const STREAM_BYTES: usize = 16 << 10;
/// Length of the header of a gRPC message.
const GRPC_FRAME: usize = 5;
/// Paths that are always answered (Kubernetes: exempt).
const EXEMPT: [&str; 3] = ["/livez", "/readyz", "/healthz"];

/// The reads among the methods of gRPC, whose requests are all POSTs.
const READS: [&str; 10] =
    ["Get", "List", "Watch", "Logs", "Review", "Rules", "WhoAmI", "Status", "Metrics", "Snapshot"];

/// Passes a request on if its caller has not taken too much.
pub async fn answer<S, B>(fairness: &Fairness, caller: &Caller, service: S, request: Request<B>) -> Response<Body>
where
    S: Service<Request<B>, Response = Response<Body>, Error = Infallible>,
{
    if let Some(error) = too_long(&request) {
        return refusal(&request, &error).into();
    }
    let level = Level::of(caller).filter(|_| !EXEMPT.contains(&request.uri().path()));
    let Some(level) = level else { return answered(service, request).await };
    let refused = refusal(&request, &Error::too_many_requests("too many requests, please try again later"));
    let unanswered = if is_read(&request) {
        refused.clone()
    } else {
        let message = "the request was executed, but too many of your answers wait to be read to keep this one";
        refusal(&request, &Error::timeout(message))
    };
    let Some(seat) = fairness.seat(level, caller).await else { return refused.into() };
    let response = answered(service, request).await;
    let bytes = length(&response);
    match seat.room(bytes) {
        Some(room) => response.map(|body| Body::new(Held { body, bytes, share: Arc::new((seat, room)) })),
        // The reason of a failure is short, and says whether the request was executed.
        None if has_failed(&response) => response,
        None => unanswered.into(),
    }
}

/// Returns the length of an answer, as far as it is known.
fn length(response: &Response<Body>) -> usize {
    let known = response.extensions().get().map(|AnswerBytes(bytes)| bytes.saturating_add(GRPC_FRAME));
    let exact = || http_body::Body::size_hint(response.body()).exact().and_then(|exact| usize::try_from(exact).ok());
    known.map_or_else(|| exact().unwrap_or(STREAM_BYTES), |known| known.max(exact().unwrap_or(0)))
}

fn has_failed(response: &Response<Body>) -> bool {
    // gRPC says so in a header if there is no answer.
    response.status().as_u16() >= 400 || response.headers().contains_key("grpc-status")
}

/// Whether a request changes nothing, so that it can be refused after it was executed.
fn is_read<B>(request: &Request<B>) -> bool {
    let path = request.uri().path();
    let called = path.strip_prefix("/squall.").and_then(|path| path.split_once('/'));
    matches!(*request.method(), Method::GET | Method::HEAD)
        || path.ends_with("reviews")
        || called.is_some_and(|(_, method)| READS.contains(&method))
}

async fn answered<S, B>(service: S, request: Request<B>) -> Response<Body>
where
    S: Service<Request<B>, Response = Response<Body>, Error = Infallible>,
{
    match service.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// A body whose pieces hold the share of their request until they have been sent: a connection may take a piece long
/// before its client reads it.
struct Held {
    body: Body,
    /// Length that its room is for.
    bytes: usize,
    share: Arc<(Seat, Room)>,
}

/// A piece of an answer.
struct Piece {
    bytes: Bytes,
    _share: Arc<(Seat, Room)>,
    /// Room for what is longer than expected: an event of a watch may be.
    _more: Option<Room>,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Held {
    /// Takes room for a piece, or ends the answer: a client that does not read gets no more.
    fn keep(&self, bytes: Bytes) -> Result<Bytes, tonic::Status> {
        let more = match bytes.len().saturating_sub(self.bytes) {
            0 => None,
            more => Some(self.share.0.room(more).ok_or_else(unread)?),
        };
        Ok(Bytes::from_owner(Piece { bytes, _share: self.share.clone(), _more: more }))
    }
}

fn unread() -> tonic::Status {
    tonic::Status::resource_exhausted("too much of earlier answers has not been read, please try again later")
}

impl http_body::Body for Held {
    type Data = Bytes;
    type Error = tonic::Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, tonic::Status>>> {
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(context));
        Poll::Ready(frame.map(|frame| match frame?.into_data() {
            Ok(bytes) => self.keep(bytes).map(http_body::Frame::data),
            Err(trailers) => Ok(trailers),
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use http_body_util::BodyExt;

    use super::*;

    /// An answer of 1 MiB, by its own length or by what its handler says.
    async fn large(request: Request<()>) -> Result<Response<Body>, Infallible> {
        let mut response = Response::new(Body::new(http_body_util::Full::from(vec![0; 1 << 20])));
        if request.uri().path() == "/grpc" {
            let unwritten = futures_util::stream::pending::<Result<http_body::Frame<Bytes>, tonic::Status>>();
            response = Response::new(Body::new(http_body_util::StreamBody::new(unwritten)));
            response.extensions_mut().insert(AnswerBytes(1 << 20));
        }
        Ok(response)
    }

    #[tokio::test(start_paused = true)]
    async fn unread_answers_are_bounded_and_health_is_always_answered() {
        let fairness = Fairness::default();
        let ann = Caller::new("ann", &[]);
        let ask = async |path: &str| {
            answer(&fairness, &ann, tower::service_fn(large), Request::get(path).body(()).unwrap()).await
        };
        let most = Level::Users.each().bytes >> 20;
        let mut unread = Vec::new();
        // The header of each gRPC message counts, too.
        for number in 0..most - 1 {
            let answer = ask(if number % 2 == 0 { "/grpc" } else { "/rest" }).await;
            assert_eq!(answer.status(), StatusCode::OK, "{number}");
            unread.push(answer);
        }
        let write = Request::post("/rest").body(()).unwrap();
        let unknown = answer(&fairness, &ann, tower::service_fn(large), write).await;
        assert_eq!(unknown.status(), StatusCode::GATEWAY_TIMEOUT, "it may have happened");
        let failing = async |_: Request<()>| {
            let body = Body::new(http_body_util::Full::from("no such object"));
            Ok::<_, Infallible>(Response::builder().status(404).body(body).unwrap())
        };
        let write = Request::post("/rest").body(()).unwrap();
        let failed = answer(&fairness, &ann, tower::service_fn(failing), write).await;
        assert_eq!(failed.status(), StatusCode::NOT_FOUND, "it did not happen");
        let refused = ask("/rest").await;
        assert_eq!((refused.status().as_u16(), &refused.headers()["retry-after"]), (429, &"1".parse().unwrap()));
        assert_eq!(ask("/livez").await.status(), StatusCode::OK);
        unread.pop();
        assert_eq!(ask("/rest").await.status(), StatusCode::OK);
    }

    /// A watch that sends an object of 1 MiB.
    async fn watch(_: Request<()>) -> Result<Response<Body>, Infallible> {
        let piece = http_body::Frame::data(Bytes::from(vec![0; 1 << 20]));
        let piece = futures_util::stream::iter([Ok::<_, tonic::Status>(piece)]);
        let mut response = Response::new(Body::new(http_body_util::StreamBody::new(piece)));
        response.extensions_mut().insert(AnswerBytes(1 << 10));
        Ok(response)
    }

    #[tokio::test(start_paused = true)]
    async fn large_events_that_are_not_read_are_bounded() {
        let (fairness, ann) = (Fairness::default(), Caller::new("ann", &[]));
        let ask = async || {
            let request = Request::get("/watch").body(()).unwrap();
            answer(&fairness, &ann, tower::service_fn(watch), request).await.into_body()
        };
        let (most, mut unread) = (Level::Users.each().bytes >> 20, Vec::new());
        loop {
            let mut body = ask().await;
            match body.frame().await.unwrap() {
                // The body has ended, and its connection has yet to send the piece.
                Ok(piece) => unread.push(piece),
                Err(_) => break,
            }
        }
        assert!((most - 2..=most).contains(&unread.len()), "{} of {most}", unread.len());
        unread.pop();
        assert!(ask().await.frame().await.unwrap().is_ok(), "there is room again");
    }
}
