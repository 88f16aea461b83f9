//! Refuses a request before it reaches its handler, in the client's protocol.

use axum::response::IntoResponse;
use http::header::CONTENT_TYPE;
use http::{Request, Response};
use squall_api::Error;
use tonic::body::Body;

use crate::{grpc, rest};

/// The answer to a request that is refused.
#[derive(Clone)]
pub struct Refusal {
    error: Error,
    is_grpc: bool,
}

/// Prepares the refusal of a request.
pub fn refusal<B>(request: &Request<B>, error: &Error) -> Refusal {
    let content_type = request.headers().get(CONTENT_TYPE);
    let is_grpc = content_type.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"));
    Refusal { error: error.clone(), is_grpc }
}

impl From<Refusal> for Response<Body> {
    fn from(refusal: Refusal) -> Self {
        match refusal.is_grpc {
            true => grpc::status(refusal.error).into_http(),
            false => rest::Failure::from(refusal.error).into_response().map(Body::new),
        }
    }
}
