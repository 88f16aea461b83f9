//! Answers a request whose handler panics with an internal error, counts it, and goes on.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use prometheus_client::metrics::counter::Counter;
use squall_api::Error;
use squall_daemon::{Guarded, guarded};
use tonic::body::Body;
use tower::{Layer, Service};

use crate::refusal::refusal;

/// Wraps the services of a member.
#[derive(Clone)]
pub struct SurvivePanics {
    /// Counts the panics.
    pub panics: Counter,
}

impl<S> Layer<S> for SurvivePanics {
    type Service = Surviving<S>;

    fn layer(&self, inner: S) -> Surviving<S> {
        Surviving { inner, panics: self.panics.clone() }
    }
}

/// A service that answers although its handlers may panic.
#[derive(Clone)]
pub struct Surviving<S> {
    inner: S,
    panics: Counter,
}

impl<S, B> Service<Request<B>> for Surviving<S>
where
    S: Service<Request<B>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let refusal = refusal(&request, &Error::internal(PANICKED));
        let place = format!("{} {}", request.method(), request.uri().path());
        let panics = self.panics.clone();
        let answer = Guarded::new(self.inner.call(request));
        async move {
            match answer.await {
                Ok(Ok(answer)) => Ok(answer.map(|body| Body::new(SurvivingBody { body, place, panics }))),
                Err(panic) => {
                    note(&place, &panic, &panics);
                    Ok(refusal.into())
                }
            }
        }
        .boxed()
    }
}

const PANICKED: &str = "a handler panicked";

fn note(place: &str, panic: &str, panics: &Counter) {
    tracing::error!(request = place, panic, PANICKED);
    panics.inc();
}

/// The body of an answer that is written little by little, by code that may panic.
struct SurvivingBody {
    body: Body,
    place: String,
    panics: Counter,
}

impl http_body::Body for SurvivingBody {
    type Data = Bytes;
    type Error = tonic::Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, tonic::Status>>> {
        match guarded(|| Pin::new(&mut self.body).poll_frame(context)) {
            Ok(polled) => polled,
            Err(panic) => {
                note(&self.place, &panic, &self.panics);
                // The client notices that the answer is incomplete.
                Poll::Ready(Some(Err(tonic::Status::internal(PANICKED))))
            }
        }
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
    use http::header::CONTENT_TYPE;
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn a_handler_that_panics_answers_and_is_counted() {
        let layer = SurvivePanics { panics: Counter::default() };
        let service = layer.layer(tower::service_fn(|request: Request<()>| async move {
            assert!(request.uri().path() != "/bad", "it is bad");
            if request.uri().path() == "/worse" {
                panic!("it is worse");
            }
            Ok(Response::new(Body::empty()))
        }));
        let ask = |path: &str, kind: &str| {
            let request = Request::get(path).header(CONTENT_TYPE, kind).body(()).unwrap();
            service.clone().oneshot(request)
        };
        let answer = ask("/bad", "application/json").await.unwrap();
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        let status: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((&status["kind"], &status["code"]), (&"Status".into(), &500.into()));
        let grpc = ask("/worse", "application/grpc").await.unwrap();
        assert_eq!(grpc.headers()["grpc-status"], "13");
        assert_eq!(ask("/good", "").await.unwrap().status(), StatusCode::OK);
        assert_eq!(layer.panics.get(), 2);
    }
}
