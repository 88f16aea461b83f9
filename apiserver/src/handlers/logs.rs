//! Container logs, read from the kubelet of the pod's node.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};
use jiff::{SignedDuration, Timestamp};
use squall_api::core::v1::{Node, Pod};
use squall_api::{Error, Kind, Object};
use squall_proto::squall::node::v1 as proto;
use squall_proto::squall::node::v1::kubelet_client::KubeletClient;
use tonic::Code;
use tonic::transport::Endpoint;

use super::Handlers;
use crate::authorization::Verb;
use crate::request::{ResourceRef, Subresource};

/// Connection timeout of a kubelet.
const PATIENCE: Duration = Duration::from_secs(5);

/// The options of a log request.
#[derive(Debug, Clone, Default)]
pub struct LogQuery {
    /// Container name; may be empty if the pod has only one container.
    pub container: String,
    /// Return the log of the previous container instance.
    pub previous: bool,
    /// Keep streaming while the container runs.
    pub follow: bool,
    /// Start each line with its timestamp.
    pub timestamps: bool,
    /// Maximum number of lines, counted from the end.
    pub tail_lines: Option<i64>,
    /// Maximum age of the lines, in seconds.
    pub since_seconds: Option<i64>,
    /// Time of the oldest line, in RFC 3339; an alternative to `since_seconds`.
    pub since_time: String,
    /// Maximum number of bytes.
    pub limit_bytes: Option<i64>,
}

/// Log lines, one piece at a time.
pub type LogStream = BoxStream<'static, Result<Bytes, Error>>;

impl Handlers {
    /// Streams the log of a container.
    pub async fn logs(&self, resource: &ResourceRef, query: &LogQuery) -> Result<LogStream, Error> {
        self.authorize(Verb::Get, &resource.part(Subresource::Log))?;
        let whole = resource.part(Subresource::Whole);
        let Object::Pod(pod) = Object::from_any(&self.registry().get(&whole, "").await?)? else {
            return Err(Error::not_found(Kind::Pod, &resource.name));
        };
        let container = container_of(&pod, &query.container)?;
        let asked = proto::LogsRequest {
            pod_namespace: pod.metadata.namespace.clone(),
            pod_name: pod.metadata.name.clone(),
            container,
            previous: query.previous,
            follow: query.follow,
            tail_lines: query.tail_lines.filter(|lines| *lines >= 0),
            since: since(query, self.registry().now())?,
        };
        let lines = self.kubelet_of(&pod).await?.logs(asked).await.map_err(told_by_kubelet)?.into_inner();
        Ok(limited(lines.map(shown(query.timestamps)).boxed(), query.limit_bytes))
    }

    async fn kubelet_of(&self, pod: &Pod) -> Result<KubeletClient<tonic::transport::Channel>, Error> {
        let name = &pod.spec.node_name;
        if name.is_empty() {
            return Err(Error::bad_request(format!("pod {} does not have a host assigned", pod.metadata.name)));
        }
        let resource = ResourceRef::object(Kind::Node, "", name);
        let Object::Node(node) = Object::from_any(&self.registry().get(&resource, "0").await?)? else {
            return Err(Error::not_found(Kind::Node, name));
        };
        let endpoint = Endpoint::from_shared(address_of(&node)?).map_err(Error::internal)?.connect_timeout(PATIENCE);
        let channel = self.registry().network().kubelet(endpoint).map_err(Error::internal)?;
        Ok(KubeletClient::new(channel))
    }
}

fn address_of(node: &Node) -> Result<String, Error> {
    let port = node.status.daemon_endpoints.kubelet_endpoint.port;
    let address = node.status.addresses.iter().find(|address| address.r#type == "InternalIP");
    match address {
        Some(address) if port != 0 => Ok(format!("https://{}:{port}", address.address)),
        _ => Err(Error::internal(format!("node {:?} does not report where its kubelet listens", node.metadata.name))),
    }
}

/// Kubernetes: the container name is optional if the pod has only one container.
fn container_of(pod: &Pod, named: &str) -> Result<String, Error> {
    let name = &pod.metadata.name;
    let names = |list: &[squall_api::core::v1::Container]| list.iter().map(|c| c.name.clone()).collect::<Vec<_>>();
    let (containers, init) = (names(&pod.spec.containers), names(&pod.spec.init_containers));
    match (named, containers.as_slice()) {
        ("", [only]) if init.is_empty() => Ok(only.clone()),
        ("", many) => Err(Error::bad_request(format!(
            "a container name must be specified for pod {name}, choose one of: [{}]{}",
            many.join(" "),
            if init.is_empty() {
                String::new()
            } else {
                format!(" or one of the init containers: [{}]", init.join(" "))
            }
        ))),
        (named, many) if many.iter().chain(&init).any(|known| known == named) => Ok(named.to_owned()),
        (named, _) => Err(Error::bad_request(format!("container {named} is not valid for pod {name}"))),
    }
}

/// Returns the start time in nanoseconds since 1970; 0 for the whole log.
fn since(query: &LogQuery, now: Timestamp) -> Result<i64, Error> {
    let from = match (query.since_seconds, query.since_time.as_str()) {
        (Some(seconds), _) => now.checked_sub(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MIN),
        (None, "") => return Ok(0),
        (None, text) => {
            text.parse().map_err(|_| Error::bad_request(format!("sinceTime: Invalid value: {text:?}: not RFC 3339")))?
        }
    };
    Ok(i64::try_from(from.as_nanosecond()).unwrap_or(0))
}

fn told_by_kubelet(status: tonic::Status) -> Error {
    match status.code() {
        Code::FailedPrecondition | Code::NotFound => Error::bad_request(status.message()),
        _ => Error::internal(format!("reading logs from the kubelet: {}", status.message())),
    }
}

fn shown(timestamps: bool) -> impl FnMut(Result<proto::LogLine, tonic::Status>) -> Result<Bytes, Error> {
    move |line| {
        let line = line.map_err(told_by_kubelet)?;
        let at = Timestamp::from_nanosecond(line.at.into()).unwrap_or(Timestamp::UNIX_EPOCH);
        let text = if timestamps { format!("{at:.9} {}\n", line.text) } else { format!("{}\n", line.text) };
        Ok(text.into())
    }
}

/// Truncates the stream after `limit` bytes.
fn limited(lines: LogStream, limit: Option<i64>) -> LogStream {
    let Some(limit) = limit.and_then(|limit| usize::try_from(limit).ok()) else { return lines };
    let cut = stream::unfold((lines, limit), |(mut lines, left)| async move {
        if left == 0 {
            return None;
        }
        let piece = lines.next().await?.map(|line| line.slice(..line.len().min(left)));
        let left = piece.as_ref().map_or(0, |piece| left.saturating_sub(piece.len()));
        Some((piece, (lines, left)))
    });
    cut.boxed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_api::core::v1::Container;

    fn pod(containers: &[&str]) -> Pod {
        let mut pod = Pod::default();
        pod.metadata.name = "x".to_owned();
        let container = |name: &&str| Container { name: (*name).to_owned(), ..Container::default() };
        pod.spec.containers = containers.iter().map(container).collect();
        pod
    }

    #[test]
    fn the_only_container_need_not_be_named() {
        let told = |pod: &Pod, name| container_of(pod, name).map_err(|error| error.to_string());
        assert_eq!(told(&pod(&["a"]), ""), Ok("a".to_owned()));
        assert_eq!(
            told(&pod(&["a", "b"]), ""),
            Err("a container name must be specified for pod x, choose one of: [a b]".to_owned())
        );
        assert_eq!(told(&pod(&["a"]), "z"), Err("container z is not valid for pod x".to_owned()));
    }

    #[tokio::test]
    async fn a_log_is_cut_off_at_its_limit() {
        let lines = stream::iter([Ok(Bytes::from_static(b"abc\n")), Ok(Bytes::from_static(b"def\n"))]).boxed();
        let texts: Vec<Bytes> = limited(lines, Some(6)).map(Result::unwrap).collect().await;
        assert_eq!(texts.concat(), b"abc\nde");
    }
}
