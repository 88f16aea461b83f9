//! Both interfaces of an apiserver, in one process: the same request gives the same object or the same error, every
//! request gets a response, and the pages of a list are of one revision.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use http_body_util::BodyExt;
use jiff::Timestamp;
use proptest::prelude::*;
use prost::Message;
use serde_json::{Value, json};
use squall_api::Object;
use squall_apiserver::admission::Range;
use squall_apiserver::folder::{DataFolder, Origin};
use squall_apiserver::grpc::ObjectsService;
use squall_apiserver::host::{LocalDisk, Network};
use squall_apiserver::raft::{Config, LogLimits, Member};
use squall_apiserver::registry::Registry;
use squall_apiserver::rest;
use squall_daemon::identity::Caller;
use squall_proto::squall::api::v1 as proto;
use squall_proto::squall::api::v1::manifest::Encoding;
use squall_proto::squall::api::v1::objects_server::Objects;
use tempfile::TempDir;
use tonic::transport::{Channel, Endpoint, Error};
use tower::ServiceExt;

/// A network without anyone else.
struct Nobody;

impl Network for Nobody {
    fn channel(&self, endpoint: Endpoint) -> Result<Channel, Error> {
        Ok(endpoint.connect_lazy())
    }

    fn kubelet(&self, endpoint: Endpoint) -> Result<Channel, Error> {
        Ok(endpoint.connect_lazy())
    }

    fn probe(&self, _: String) -> BoxFuture<'static, io::Result<()>> {
        async { Err(io::ErrorKind::ConnectionRefused.into()) }.boxed()
    }
}

/// An apiserver that is a group of one.
struct Server {
    registry: Registry,
    rest: axum::Router,
    grpc: ObjectsService,
    _folder: TempDir,
}

impl Server {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let network: Arc<dyn Network> = Arc::new(Nobody);
        let config = Config {
            id: 1,
            folder: DataFolder::open(Arc::new(LocalDisk), folder.path(), 1, Origin::New).unwrap(),
            founders: BTreeMap::from([(1, "https://127.0.0.1:1".to_owned())]),
            network: network.clone(),
            link_port: None,
            heartbeat: Duration::from_millis(50),
            election: (Duration::from_millis(100), Duration::from_millis(200)),
            log: LogLimits::default(),
        };
        let member = Member::start(config).await.unwrap();
        let range = Range::parse("127.64.0.0/20").unwrap();
        let registry = Registry::new(member, network, range, Timestamp::now, None, None);
        while registry.bootstrap().await.is_err() {
            tokio::task::yield_now().await;
        }
        let (rest, grpc) = (rest::router(registry.clone()), ObjectsService::new(registry.clone()));
        let server = Self { registry, rest, grpc, _folder: folder };
        for name in ["grpc", "rest"] {
            let namespace = json!({"metadata": {"name": name}});
            server.http("POST", "/api/v1/namespaces", "application/json", namespace.to_string()).await;
        }
        server
    }

    async fn send(&self, method: &str, path: &str, content_type: &str, body: impl Into<Body>) -> Response<Body> {
        let request = Request::builder().method(method).uri(path).header("content-type", content_type);
        let mut request = request.body(body.into()).unwrap();
        request.extensions_mut().insert(Caller::server());
        self.rest.clone().oneshot(request).await.unwrap()
    }

    /// Returns the status code and the body of a response.
    async fn http(&self, method: &str, path: &str, content_type: &str, body: impl Into<Body>) -> (u16, Value) {
        let answer = self.send(method, path, content_type, body).await;
        let code = answer.status().as_u16();
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        (code, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }
}

fn as_server<T>(message: T) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    request.extensions_mut().insert(Caller::server());
    request
}

/// A request for either interface.
#[derive(Debug, Clone)]
enum Call {
    Create(Value),
    Update(Value),
    Patch(&'static str, String),
    Delete,
    Get,
}

const NAME: &str = "kubia";

impl Call {
    async fn over_rest(&self, server: &Server, plural: &str) -> Value {
        let collection = format!("/apis/apps/v1/namespaces/rest/{plural}");
        let one = format!("{collection}/{NAME}");
        let json = "application/json";
        let (_, answer) = match self {
            Self::Create(object) => server.http("POST", &collection, json, object.to_string()).await,
            Self::Update(object) => server.http("PUT", &one, json, object.to_string()).await,
            Self::Patch(content_type, patch) => server.http("PATCH", &one, content_type, patch.clone()).await,
            Self::Delete => {
                server.http("DELETE", &one, json, json!({"propagationPolicy": "Background"}).to_string()).await
            }
            Self::Get => server.http("GET", &one, json, Body::empty()).await,
        };
        answer
    }

    async fn over_grpc(&self, server: &Server, plural: &str) -> Value {
        let resource = |name: &str| {
            Some(proto::Resource {
                group: "apps".to_owned(),
                version: "v1".to_owned(),
                plural: plural.to_owned(),
                namespace: "grpc".to_owned(),
                name: name.to_owned(),
                subresource: String::new(),
            })
        };
        let manifest = |object: &Value| {
            Some(proto::Manifest { encoding: Some(Encoding::Json(object.to_string().into_bytes().into())) })
        };
        let options = None;
        let grpc = &server.grpc;
        let answer = match self.clone() {
            Self::Create(object) => {
                let manifest = manifest(&object);
                grpc.create(as_server(proto::CreateRequest { resource: resource(""), manifest, options })).await
            }
            Self::Update(object) => {
                let manifest = manifest(&object);
                grpc.update(as_server(proto::UpdateRequest { resource: resource(NAME), manifest, options })).await
            }
            Self::Patch(content_type, patch) => {
                let (content_type, patch) = (content_type.to_owned(), patch.into_bytes().into());
                let request =
                    proto::PatchRequest { resource: resource(NAME), content_type, patch, options, force: false };
                grpc.patch(as_server(request)).await
            }
            Self::Delete => {
                let propagation_policy = "Background".to_owned();
                let request =
                    proto::DeleteRequest { resource: resource(NAME), propagation_policy, ..Default::default() };
                grpc.delete(as_server(request)).await
            }
            Self::Get => {
                grpc.get(as_server(proto::GetRequest { resource: resource(NAME), ..Default::default() })).await
            }
        };
        match answer {
            Ok(reply) => {
                let reply = reply.into_inner();
                match reply.deleted {
                    // REST responds to the removal of a Deployment with a Status.
                    true => json!({"status": "Success"}),
                    false => Object::from_any(&reply.object.unwrap()).unwrap().to_json(),
                }
            }
            Err(status) => {
                let sent = squall_proto::meta::v1::Status::decode(status.details()).unwrap();
                let mut json = serde_json::to_value(&sent).unwrap();
                json["kind"] = "Status".into();
                json["apiVersion"] = "v1".into();
                json
            }
        }
    }
}

/// Removes the fields that differ from one object to another.
fn comparable(mut answer: Value) -> Value {
    if answer.get("status") == Some(&json!("Success")) {
        return json!({"status": "Success"});
    }
    for field in ["uid", "resourceVersion", "creationTimestamp", "namespace", "managedFields"] {
        if let Some(metadata) = answer["metadata"].as_object_mut() {
            metadata.remove(field);
        }
    }
    let text = answer.to_string().replace("/grpc/", "/NAMESPACE/").replace("/rest/", "/NAMESPACE/");
    serde_json::from_str(&text).unwrap()
}

fn deployment() -> impl Strategy<Value = Value> {
    (-1_i32..4, "[a-z]{0,3}", prop::bool::ANY, prop::option::of("[a-z]{1,4}")).prop_map(
        |(replicas, label, matching, unknown)| {
            let other = if matching { label.clone() } else { "other".to_owned() };
            let mut object = json!({
                "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": NAME},
                "spec": {
                    "replicas": replicas,
                    "selector": {"matchLabels": {"app": label}},
                    "template": {
                        "metadata": {"labels": {"app": other}},
                        "spec": {"containers": [{"name": "c", "image": "i:1"}]},
                    },
                },
            });
            if let Some(unknown) = unknown {
                object["spec"][unknown.as_str()] = json!(1);
            }
            object
        },
    )
}

fn patch() -> impl Strategy<Value = Call> {
    let merge = (-1_i32..4).prop_map(|replicas| json!({"spec": {"replicas": replicas}}).to_string());
    let strategic = "[a-z:0-9]{0,4}".prop_map(|image| {
        json!({"spec": {"template": {"spec": {"containers": [{"name": "c", "image": image}]}}}}).to_string()
    });
    let operations = (0_i32..3)
        .prop_map(|replicas| json!([{"op": "test", "path": "/spec/replicas", "value": replicas}]).to_string());
    let garbage = "[\\[\\]{}\",:a0]{0,6}";
    prop_oneof![
        merge.prop_map(|patch| Call::Patch("application/merge-patch+json", patch)),
        strategic.prop_map(|patch| Call::Patch("application/strategic-merge-patch+json", patch)),
        operations.prop_map(|patch| Call::Patch("application/json-patch+json", patch)),
        garbage.prop_map(|patch| Call::Patch("application/merge-patch+json", patch)),
        garbage.prop_map(|patch| Call::Patch("application/x-unknown", patch)),
    ]
}

fn call() -> impl Strategy<Value = Call> {
    prop_oneof![
        3 => deployment().prop_map(Call::Create),
        3 => deployment().prop_map(Call::Update),
        4 => patch(),
        1 => Just(Call::Delete),
        1 => Just(Call::Get),
    ]
}

#[test]
fn the_same_request_by_grpc_and_by_rest_gives_the_same() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(Server::start());
    let config = ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(calls in prop::collection::vec(call(), 1..12))| {
        runtime.block_on(async {
            for call in &calls {
                let (grpc, rest) = (
                    comparable(call.over_grpc(&server, "deployments").await),
                    comparable(call.over_rest(&server, "deployments").await),
                );
                prop_assert_eq!(grpc, rest, "{:?}", call);
            }
            Ok(())
        })?;
    });
}

#[tokio::test]
async fn whatever_comes_in_is_answered() {
    let server = Server::start().await;
    let path = "/api/v1/namespaces/rest/configmaps";
    let deep = format!("{}1{}", "{\"a\":".repeat(10_000), "}".repeat(10_000));
    let labels: String = (0..50_000).map(|n| format!("\"l{n}\":\"v\",")).collect();
    let many = format!("{{\"metadata\":{{\"name\":\"x\",\"labels\":{{{}\"z\":\"{}\"}}}}}}", labels, "v".repeat(64));
    let cases: Vec<(&str, Vec<u8>, u16)> = vec![
        ("application/json", vec![b' '; (3 << 20) + 1], 413),
        ("application/json", deep.into_bytes(), 400),
        ("application/json", b"\xff\xfe".to_vec(), 400),
        ("application/json", Vec::new(), 400),
        ("application/json", many.into_bytes(), 422),
        ("application/yaml", b"a: &a [*a, *a]".to_vec(), 400),
        ("application/yaml", b"\xff".to_vec(), 400),
        ("application/vnd.kubernetes.protobuf", b"k8s\0\xff\xff\xff".to_vec(), 400),
        ("application/vnd.kubernetes.protobuf", b"nonsense".to_vec(), 400),
        ("text/html", b"<p>".to_vec(), 415),
    ];
    for (content_type, body, expected) in cases {
        let size = body.len();
        let (code, answer) = server.http("POST", path, content_type, body).await;
        assert_eq!((code, &answer["kind"]), (expected, &json!("Status")), "{content_type}, {size} bytes: {answer}");
    }
    for (method, path, expected) in [
        ("GET", "/api/v1/pods?limit=many", 400),
        ("GET", "/api/v1/pods?continue=nonsense", 400),
        ("GET", "/api/v1/pods?labelSelector=a%20b%20c", 400),
        ("GET", "/api/v1/pods?resourceVersion=x", 400),
        ("GET", "/api/v1/pods?resourceVersionMatch=Exact", 422),
        ("POST", "/api/v1/namespaces/rest/pods/x", 405),
        ("TRACE", "/api/v1/pods", 405),
        ("GET", "/api/v1/namespaces/rest/pods/%ff", 404),
    ] {
        let (code, answer) = server.http(method, path, "application/json", Body::empty()).await;
        assert_eq!(code, expected, "{method} {path}: {answer}");
    }
    let (code, _) = server.http("GET", "/api/v1/pods", "", Body::empty()).await;
    assert_eq!(code, 200, "the server still responds");
}

#[tokio::test]
async fn a_list_in_pages_is_of_one_revision() {
    let server = Server::start().await;
    let path = "/api/v1/namespaces/rest/configmaps";
    for number in 0..7 {
        let object = json!({"metadata": {"name": format!("c{number}")}});
        server.http("POST", path, "application/json", object.to_string()).await;
    }
    let (_, whole) = server.http("GET", path, "", Body::empty()).await;
    let revision = whole["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    let (mut names, mut token) = (Vec::new(), String::new());
    loop {
        let (_, page) = server.http("GET", &format!("{path}?limit=3&continue={token}"), "", Body::empty()).await;
        assert_eq!(page["metadata"]["resourceVersion"], revision.as_str());
        names.extend(page["items"].as_array().unwrap().iter().map(|item| item["metadata"]["name"].clone()));
        // Changes made meanwhile do not affect this list.
        server.http("DELETE", &format!("{path}/c{}", 6 - names.len() % 3), "", Body::empty()).await;
        match page["metadata"]["continue"].as_str() {
            Some(next) if !next.is_empty() => next.clone_into(&mut token),
            _ => break,
        }
    }
    let expected: Vec<Value> =
        whole["items"].as_array().unwrap().iter().map(|i| i["metadata"]["name"].clone()).collect();
    assert_eq!(names, expected);
    let exact = format!("{path}?resourceVersion={revision}&resourceVersionMatch=Exact");
    let (_, then) = server.http("GET", &exact, "", Body::empty()).await;
    assert_eq!(then, whole, "the past can be read");
    assert!(server.registry.member().status().leader.is_some());
}

#[tokio::test]
async fn an_event_is_forgotten_an_hour_after_it_was_seen_last() {
    let server = Server::start().await;
    let path = "/api/v1/namespaces/rest/events";
    let event = json!({
        "metadata": {"name": "old"}, "reason": "Seen", "type": "Normal",
        "involvedObject": {"kind": "Pod", "name": "x", "namespace": "rest"},
    });
    let (code, answer) = server.http("POST", path, "application/json", event.to_string()).await;
    assert_eq!(code, 201, "{answer}");
    let after = |minutes| Timestamp::now() + jiff::SignedDuration::from_mins(minutes);
    assert_eq!(server.registry.expire_events(after(59)).await.unwrap(), 0);
    assert_eq!(server.http("GET", &format!("{path}/old"), "", Body::empty()).await.0, 200);
    assert_eq!(server.registry.expire_events(after(61)).await.unwrap(), 1);
    assert_eq!(server.http("GET", &format!("{path}/old"), "", Body::empty()).await.0, 404);
}
