//! Errors as `Status` objects, with their HTTP status code.

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderValue, StatusCode, Uri};
use squall_api::Error;

use super::encode::{self, Layout};

/// An error to send to a client.
#[derive(Debug)]
pub struct Failure {
    /// Sent as a `Status` object.
    pub error: Error,
    /// Layout of its JSON.
    pub layout: Layout,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { error, layout: Layout::Compact }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = &self.error.status;
        let code = u16::try_from(status.code).ok().and_then(|code| StatusCode::from_u16(code).ok());
        let mut response = encode::status_json(status, self.layout).into_response();
        *response.status_mut() = code.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(seconds) = status.details.as_ref().map(|details| details.retry_after_seconds).filter(|s| *s > 0) {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// The layout of JSON for a client: indented with `pretty=true`, and for curl, Wget and browsers.
pub fn layout(uri: &Uri, headers: &HeaderMap) -> Layout {
    let asked = uri.query().unwrap_or_default().split('&').find_map(|pair| pair.strip_prefix("pretty="));
    let indented = match asked {
        Some(value) => !matches!(value, "false" | "0"),
        None => {
            let agent = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
            ["curl", "Wget", "Mozilla/5.0"].iter().any(|prefix| agent.starts_with(prefix))
        }
    };
    if indented { Layout::Indented } else { Layout::Compact }
}
