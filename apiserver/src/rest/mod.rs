//! The REST interface: Kubernetes' HTTP API, on the same port and over the same `handlers` as gRPC.
//!
//! `path` and `query` parse a URL, `accept` negotiates the format, `objects` calls the handlers, and `encode`, `list`
//! and `watch` write the response. The other modules serve everything else, such as discovery, health and the proxy.

mod accept;
pub mod decoders;
mod discovery;
mod encode;
mod failure;
mod health;
mod impersonate;
mod list;
mod objects;
mod openapi;
mod path;
mod proxy;
mod query;
mod review;
mod table;
mod watch;

pub(crate) use failure::Failure;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{Extensions, HeaderMap};
use squall_api::Error;
use squall_daemon::identity::Caller;

use crate::handlers::Handlers;
use crate::registry::{Freshness, Registry};

/// Maximum request size (Kubernetes: 3 MiB).
pub(crate) const MAX_REQUEST_BYTES: usize = 3 << 20;

/// The state that all routes share.
#[derive(Clone)]
struct Rest {
    registry: Registry,
}

impl Rest {
    /// Returns the handlers of the caller, or of the impersonated user.
    fn handlers(&self, extensions: &Extensions, headers: &HeaderMap) -> Result<Handlers, Error> {
        let caller = extensions.get().cloned().unwrap_or_else(Caller::anonymous);
        Ok(Handlers::new(self.registry.clone(), impersonate::acting(caller, headers)?))
    }
}

/// Returns the router of the HTTP API.
pub fn router(registry: Registry) -> Router {
    Router::new()
        .route("/version", get(health::version))
        .route("/healthz", get(health::live))
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .route("/", get(discovery::paths))
        .route("/api", get(discovery::core))
        .route("/api/", get(discovery::core))
        .route("/api/v1", get(discovery::core_resources))
        .route("/api/v1/", get(discovery::core_resources))
        .route("/apis", get(discovery::groups))
        .route("/apis/", get(discovery::groups))
        .route("/apis/{group}", get(discovery::group))
        .route("/apis/{group}/", get(discovery::group))
        .route("/apis/{group}/{version}", get(discovery::group_resources))
        .route("/apis/{group}/{version}/", get(discovery::group_resources))
        .route("/openapi/v2", get(openapi::v2))
        .route("/openapi/v3", get(openapi::v3))
        .route("/openapi/v3/{*path}", get(openapi::v3_document))
        .fallback(fallback)
        .with_state(Rest { registry })
}

/// Serves objects, and refuses unknown paths.
async fn fallback(State(rest): State<Rest>, request: Request) -> Response {
    let layout = failure::layout(request.uri(), request.headers());
    let result = answer(&rest, request).await;
    result.unwrap_or_else(|error| Failure { error, layout }.into_response())
}

async fn answer(rest: &Rest, request: Request) -> Result<Response, Error> {
    let handlers = rest.handlers(request.extensions(), request.headers())?;
    let path = request.uri().path().to_owned();
    match find(&handlers, &path).await? {
        Some(path::Target::Objects(resource)) if proxy::is_meant(&resource) => {
            proxy::serve(&handlers, &resource, request).await
        }
        Some(path::Target::Objects(resource)) => objects::serve(handlers, resource, request).await,
        Some(path::Target::Review(review)) => review::serve(handlers, review, request).await,
        None => handlers.authorize_path(&path).and(Err(Error::no_such_path())),
    }
}

/// Finds the target of a path. A custom kind may be so new that this member has not seen it yet.
async fn find(handlers: &Handlers, path: &str) -> Result<Option<path::Target>, Error> {
    let registry = handlers.registry();
    let mut parts = path.split('/').skip(1);
    match path::parse(path, registry) {
        None if parts.next() == Some("apis")
            && parts.next().is_some_and(|group| group.contains('.'))
            && handlers.authorize_path("/apis").is_ok() =>
        {
            registry.state(Freshness::MostRecent).await?;
            Ok(path::parse(path, registry))
        }
        found => Ok(found),
    }
}
