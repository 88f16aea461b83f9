//! The `proxy` subresource: forwards a request to a pod, or to a pod behind a service.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::extract::Request;
use axum::response::Response;
use http::header::{
    AUTHORIZATION, CONNECTION, COOKIE, HOST, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName, Method, Uri};
use hyper_util::client::legacy::{Client, Error as LegacyError};
use hyper_util::rt::{TokioExecutor, TokioIo};
use squall_api::core::v1::{Pod, Service};
use squall_api::discovery::v1::EndpointSlice;
use squall_api::{Error, Kind, Object};
use squall_daemon::Gateway;

use crate::authorization::Verb;
use crate::handlers::{Handlers, ListQuery};
use crate::registry::decode_stored;
use crate::request::{ResourceRef, Subresource};

/// Timeout of a connection to a pod.
const PATIENCE: Duration = Duration::from_secs(5);
/// Label on every slice that names its service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// Headers that are not forwarded to a pod.
static PRIVATE: [HeaderName; 9] =
    [HOST, CONNECTION, TRANSFER_ENCODING, TE, TRAILER, UPGRADE, AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE];

/// The parts of a name before `proxy`: `http:kubia:8080`.
struct Destination<'a> {
    name: &'a str,
    port: &'a str,
}

impl<'a> Destination<'a> {
    /// Returns `None` if the resource is not a proxy.
    fn parse(resource: &'a ResourceRef) -> Option<Self> {
        let Subresource::Proxy(_) = &resource.subresource else { return None };
        let name = resource.name.strip_prefix("http:").unwrap_or(&resource.name);
        let (name, port) = name.split_once(':').unwrap_or((name, ""));
        Some(Self { name, port })
    }
}

/// Whether a request is to be forwarded.
pub fn is_meant(resource: &ResourceRef) -> bool {
    Destination::parse(resource).is_some()
}

/// Forwards a request and returns the response.
pub async fn serve(handlers: &Handlers, resource: &ResourceRef, request: Request) -> Result<Response, Error> {
    let Some(destination) = Destination::parse(resource) else { return Err(Error::no_such_path()) };
    let object = ResourceRef::object(resource.kind, &resource.namespace, destination.name);
    handlers.authorize(verb_of(request.method()), &object.part(Subresource::Proxy(String::new())))?;
    let object = Object::from_any(&handlers.registry().get(&object, "").await?)?;
    let (address, port) = match object {
        Object::Pod(pod) => pod_address(&pod, destination.port)?,
        Object::Service(service) => service_address(handlers, &service, destination.port).await?,
        _ => return Err(Error::no_such_path()),
    };
    let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
    let target = format!("http://{address}:{port}/{}{query}", raw_rest(request.uri().path()));
    let uri: Uri = target.parse().map_err(|error| Error::bad_request(format!("{target}: {error}")))?;
    let pod: Ipv4Addr = address.parse().map_err(|error| Error::unavailable(format!("{address}: {error}")))?;
    if !handlers.registry().may_be_pod(pod) {
        return Err(Error::unavailable(format!("address not allowed: {pod} is no address of a pod of this cluster")));
    }
    let (mut parts, body) = request.into_parts();
    parts.uri = uri;
    keep_private(&mut parts.headers);
    parts.version = http::Version::HTTP_11;
    let forwarded = Request::from_parts(parts, body);
    let mut answer =
        ask(handlers.registry().network().gateway(), (pod, port).into(), forwarded).await.map_err(|error| {
            let reason = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
            Error::unavailable(format!("error trying to reach service: {reason}"))
        })?;
    for name in [CONNECTION, TRANSFER_ENCODING] {
        answer.headers_mut().remove(name);
    }
    Ok(answer)
}

/// Returns the path behind `proxy/`, with its encoding: `/api/v1/namespaces/NAMESPACE/pods/NAME/proxy/PATH`.
fn raw_rest(path: &str) -> &str {
    path.splitn(9, '/').nth(8).unwrap_or_default()
}

/// Removes the headers that concern this connection, and those that identify the caller to this server: a pod is not to be
/// trusted with them.
fn keep_private(headers: &mut HeaderMap) {
    let named = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let named: Vec<HeaderName> =
        named.flat_map(|names| names.split(',')).filter_map(|name| name.trim().parse().ok()).collect();
    let impersonation = headers.keys().filter(|name| name.as_str().starts_with("impersonate-")).cloned();
    let private: Vec<HeaderName> = named.into_iter().chain(impersonation).collect();
    for name in PRIVATE.iter().chain(&private) {
        headers.remove(name);
    }
}

/// Sends a request over a connection of its own.
async fn ask(gateway: Gateway, pod: SocketAddr, request: Request) -> Result<Response, LegacyError> {
    let connector = tower::service_fn(move |_: Uri| {
        let dialling = tokio::time::timeout(PATIENCE, gateway.dial(pod));
        Box::pin(async move { Ok::<_, io::Error>(TokioIo::new(dialling.await??)) })
    });
    let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
    Ok(client.request(request).await?.map(axum::body::Body::new))
}

fn verb_of(method: &Method) -> Verb {
    match *method {
        Method::POST => Verb::Create,
        Method::PUT => Verb::Update,
        Method::PATCH => Verb::Patch,
        Method::DELETE => Verb::Delete,
        _ => Verb::Get,
    }
}

/// Kubernetes: the default port is the first one that the pod declares, or 80.
fn pod_address(pod: &Pod, port: &str) -> Result<(String, u16), Error> {
    let name = &pod.metadata.name;
    if pod.status.pod_ip.is_empty() {
        return Err(Error::unavailable(format!("address not allowed: pod {name} has no IP yet")));
    }
    let mut declared = pod.spec.containers.iter().flat_map(|container| &container.ports);
    let found = match port {
        "" => Some(declared.next().map_or(80, |declared| declared.container_port)),
        text => text.parse().ok().or_else(|| declared.find(|d| d.name == text).map(|d| d.container_port)),
    };
    let found = found.and_then(|port| u16::try_from(port).ok());
    let found = found.ok_or_else(|| Error::bad_request(format!("pod {name} has no port {port:?}")))?;
    Ok((pod.status.pod_ip.clone(), found))
}

async fn service_address(handlers: &Handlers, service: &Service, port: &str) -> Result<(String, u16), Error> {
    let meta = &service.metadata;
    let known = service.spec.ports.iter().find(|known| match port {
        "" => service.spec.ports.len() == 1,
        text => known.name == text || known.port.to_string() == text,
    });
    let no_port = || Error::unavailable(format!("no service port {port:?} found for service {:?}", meta.name));
    let port_name = &known.ok_or_else(no_port)?.name;
    let collection = ResourceRef::collection(Kind::EndpointSlice, &meta.namespace);
    let query = ListQuery { labels: format!("{SERVICE_NAME}={}", meta.name), ..ListQuery::default() };
    let trusted = Handlers::new(handlers.registry().clone(), squall_daemon::identity::Caller::server());
    let listing = trusted.list(&collection, &query, usize::MAX).await?;
    let mut ready = Vec::new();
    for entry in &listing.entries {
        let Ok(slice) = EndpointSlice::try_from(decode_stored(Kind::EndpointSlice, entry)?) else { continue };
        let named = slice.ports.iter().find(|port| port.name.as_ref().is_none_or(|name| name == port_name));
        let Some(port) = named.and_then(|port| u16::try_from(port.port?).ok()) else { continue };
        let serving = slice.endpoints.iter().filter(|endpoint| endpoint.conditions.ready != Some(false));
        ready.extend(serving.flat_map(|endpoint| endpoint.addresses.first()).map(|address| (address.clone(), port)));
    }
    let place = fastrand::usize(..ready.len().max(1));
    ready
        .into_iter()
        .nth(place)
        .ok_or_else(|| Error::unavailable(format!("no endpoints available for service {:?}", meta.name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_api::core::v1::{Container, ContainerPort};

    fn resource(name: &str, subresource: &str) -> ResourceRef {
        ResourceRef::object(Kind::Pod, "default", name).part(Subresource::parse(Kind::Pod, None, subresource))
    }

    #[test]
    fn a_path_keeps_its_encoding() {
        for (path, rest) in [
            ("/api/v1/namespaces/a/pods/x/proxy", ""),
            ("/api/v1/namespaces/a/pods/x/proxy/", ""),
            ("/api/v1/namespaces/a/pods/x:80/proxy/a%2Fb//c%20d/", "a%2Fb//c%20d/"),
        ] {
            assert_eq!(raw_rest(path), rest, "{path}");
        }
    }

    #[test]
    fn nothing_that_identifies_the_caller_is_forwarded() {
        let mut headers = HeaderMap::new();
        for name in ["authorization", "cookie", "impersonate-user", "impersonate-extra-a", "x-hop", "host", "x-app"] {
            headers.insert(HeaderName::from_static(name), "x".parse().unwrap());
        }
        headers.insert(CONNECTION, "close, X-Hop".parse().unwrap());
        keep_private(&mut headers);
        assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-app"]);
    }

    #[test]
    fn a_destination_has_a_name_and_a_port() {
        for (name, subresource, expected) in [
            ("x", "proxy", Some(("x", ""))),
            ("x:8080", "proxy/a/b", Some(("x", "8080"))),
            ("http:x:web", "proxy/", Some(("x", "web"))),
            ("x", "log", None),
            ("x", "proxyless", None),
        ] {
            let resource = resource(name, subresource);
            let found = Destination::parse(&resource).map(|d| (d.name, d.port));
            assert_eq!(found, expected, "{name} {subresource}");
        }
    }

    #[test]
    fn a_port_is_a_number_a_name_or_the_first_there_is() {
        let mut pod = Pod::default();
        pod.status.pod_ip = "127.0.0.9".to_owned();
        let ip = || "127.0.0.9".to_owned();
        assert_eq!(pod_address(&pod, "").unwrap(), (ip(), 80));
        let port = ContainerPort { name: "web".to_owned(), container_port: 8_080, ..ContainerPort::default() };
        pod.spec.containers.push(Container { ports: vec![port], ..Container::default() });
        assert_eq!(pod_address(&pod, "").unwrap(), (ip(), 8_080));
        assert_eq!(pod_address(&pod, "web").unwrap(), (ip(), 8_080));
        assert_eq!(pod_address(&pod, "9").unwrap(), (ip(), 9));
        assert!(pod_address(&pod, "nosuch").is_err() && pod_address(&pod, "70000").is_err());
    }
}
