//! Reports the requests of a client to an observer, for logging.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use prost_types::Any;
use squall_proto::squall::api::v1 as proto;
use squall_proto::squall::api::v1::manifest::Encoding;
use tokio::time::Instant;

use crate::client::Client;
use crate::error::Error;
use crate::requests::Reply;
use crate::resource::ResourceRef;

/// Called with each request after it has been answered or has failed.
pub type Observer = Arc<dyn Fn(&Exchange<'_>) + Send + Sync>;

/// A request and its answer, in terms of the REST API.
pub struct Exchange<'a> {
    /// `GET`, `POST`, `PUT`, `PATCH` or `DELETE`.
    pub verb: &'static str,
    /// The apiserver, path and query.
    pub url: String,
    /// The body of the request: an object or a patch.
    pub sent: Option<Sent>,
    /// The objects in the answer.
    pub received: &'a [Any],
    /// The error, if the request failed.
    pub error: Option<&'a Error>,
    /// The duration of the request, including retries.
    pub elapsed: Duration,
}

/// The body of a request.
#[derive(Debug, Clone)]
pub enum Sent {
    /// An object in the wire encoding.
    Object(Any),
    /// JSON, or a patch.
    Text(String),
}

impl Sent {
    /// Returns the body that a manifest contains.
    pub(crate) fn of(manifest: Option<&proto::Manifest>) -> Option<Self> {
        match manifest?.encoding.as_ref()? {
            Encoding::Object(any) => Some(Self::Object(any.clone())),
            Encoding::Json(bytes) => Some(Self::Text(String::from_utf8_lossy(bytes).into_owned())),
        }
    }
}

/// A request before it is sent.
pub struct Question<'a> {
    pub verb: &'static str,
    pub resource: &'a ResourceRef,
    pub query: Vec<(&'static str, String)>,
    pub sent: Option<Sent>,
}

/// An answer that contains objects.
pub trait Answer {
    /// Returns the objects, in the order of the answer.
    fn objects(&self) -> &[Any];
}

impl Answer for Any {
    fn objects(&self) -> &[Any] {
        std::slice::from_ref(self)
    }
}

impl Answer for Reply {
    fn objects(&self) -> &[Any] {
        std::slice::from_ref(&self.object)
    }
}

impl Answer for proto::ListReply {
    fn objects(&self) -> &[Any] {
        &self.items
    }
}

impl Client {
    /// Waits for an answer and reports the request to the observer, if there is one.
    pub(crate) async fn observe<'a, T: Answer>(
        &self,
        question: impl FnOnce() -> Question<'a>,
        answer: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let Some(observer) = &self.observer else { return answer.await };
        let (question, begun) = (question(), Instant::now());
        let result = answer.await;
        observer(&Exchange {
            verb: question.verb,
            url: self.url(&question),
            sent: question.sent,
            received: result.as_ref().map_or(&[], Answer::objects),
            error: result.as_ref().err(),
            elapsed: begun.elapsed(),
        });
        result
    }

    /// Returns the URL of a request, on the apiserver that answered it or will be tried next.
    fn url(&self, question: &Question<'_>) -> String {
        let server = self.channels().into_iter().next().map(|(address, _)| address).unwrap_or_default();
        let scheme = if server.contains("://") { "" } else { "https://" };
        let query: Vec<String> = question
            .query
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(key, value)| format!("{key}={}", encoded(value)))
            .collect();
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{scheme}{server}{}{mark}{}", question.resource.path(), query.join("&"))
    }
}

/// Percent-encodes a value for a URL (RFC 3986).
fn encoded(value: &str) -> String {
    let mut text = String::new();
    for byte in value.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => text.push(char::from(byte)),
            other => text.push_str(&format!("%{other:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn values_are_encoded() {
        assert_eq!(super::encoded("app=kubia,deployment=d1-orig"), "app%3Dkubia%2Cdeployment%3Dd1-orig");
    }
}
