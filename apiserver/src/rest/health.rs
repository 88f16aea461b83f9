//! The health, metrics and version endpoints.

use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};
use squall_api::Error;
use squall_api::timing::later;
use tokio::time::Instant;

use super::Rest;
use super::failure::{Failure, layout};

/// The Kubernetes version of the API.
const MAJOR: &str = "1";
const MINOR: &str = "36";
/// Go's name for this processor architecture.
const GO_ARCH: &str = match std::env::consts::ARCH.as_bytes() {
    b"x86_64" => "amd64",
    b"aarch64" => "arm64",
    _ => std::env::consts::ARCH,
};
/// A member is not ready if no quorum answers within this time.
const PATIENCE: Duration = Duration::from_secs(1);

impl Rest {
    /// Returns an error if the caller may not read the path.
    pub(super) fn permit(&self, request: &Request) -> Result<(), Failure> {
        self.handlers(request.extensions(), request.headers())
            .and_then(|handlers| handlers.authorize_path(request.uri().path()))
            .map_err(|error| Failure { error, layout: layout(request.uri(), request.headers()) })
    }
}

/// `/version`.
pub(super) async fn version(State(rest): State<Rest>, request: Request) -> Result<Json<Value>, Failure> {
    rest.permit(&request)?;
    Ok(Json(json!({
        "major": MAJOR,
        "minor": MINOR,
        "gitVersion": format!("v{MAJOR}.{MINOR}.0+squall.{}", env!("CARGO_PKG_VERSION")),
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "rustc",
        "platform": format!("{}/{}", std::env::consts::OS, GO_ARCH),
    })))
}

/// `/healthz` and `/livez`: any response means that the process is alive.
pub(super) async fn live(State(rest): State<Rest>, request: Request) -> Result<&'static str, Failure> {
    rest.permit(&request)?;
    Ok("ok")
}

/// `/readyz`: whether the member can commit and the initial namespaces exist.
pub(super) async fn ready(State(rest): State<Rest>, request: Request) -> Result<Response, Failure> {
    rest.permit(&request)?;
    Ok(match rest.registry.member().read_barrier(later(Instant::now(), PATIENCE)).await {
        Ok(_) if rest.registry.has_begun() => "ok".into_response(),
        Ok(_) => {
            let text = "[-]namespaces failed: the initial namespaces do not exist yet\nreadyz check failed\n";
            (StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
        }
        Err(error) => {
            let text = format!("[-]quorum failed: {error:#}\nreadyz check failed\n");
            (StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
        }
    })
}

/// `/metrics`, in the format that Prometheus reads.
pub(super) async fn metrics(State(rest): State<Rest>, request: Request) -> Result<Response, Failure> {
    rest.permit(&request)?;
    let text = rest.registry.member().metrics_text().map_err(|error| Error::internal(format!("{error:#}")))?;
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(CONTENT_TYPE, content_type)], text).into_response())
}
