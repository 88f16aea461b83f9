//! Tests that an apiserver survives any input, stays within its limits, and reports clearly what it refuses.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::sync::Arc;

use futures_util::stream::{FuturesUnordered, StreamExt};
use http::Request;
use http_body_util::BodyExt;
use kube::client::Body;
use serde_json::{Value, json};
use squall_api::Kind;
use squall_api::core::v1::ConfigMap;
use squall_client::{Api, Event, Selection, Watch};
use squall_cluster::MemberName;
use squall_tests::Lab;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

use squall_client_tests::client_of;

/// The path of the config maps in the namespace `default`.
const MAPS: &str = "/api/v1/namespaces/default/configmaps";

fn address(lab: &Lab) -> String {
    lab.cluster.apiserver_url(0).trim_start_matches("https://").to_owned()
}

fn pid_of(lab: &Lab) -> i32 {
    let member: MemberName = "apiserver-0".parse().unwrap();
    lab.cluster.state(member).1.unwrap()
}

/// Opens a connection without a client certificate.
async fn connect(lab: &Lab) -> TlsStream<TcpStream> {
    let kubeconfig = squall_client::Kubeconfig::read(&lab.cluster.kubeconfig()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&kubeconfig.current().unwrap().ca).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(address(lab)).await.unwrap();
    let host = address(lab).rsplit_once(':').unwrap().0.to_owned();
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from(host).unwrap(), stream).await.unwrap()
}

/// Returns the current and the peak memory of the first apiserver, in KiB.
fn memory(lab: &Lab) -> (u64, u64) {
    let status = std::fs::read_to_string(format!("/proc/{}/status", pid_of(lab))).unwrap();
    let value = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    (value("VmRSS:"), value("VmHWM:"))
}

/// Checks that the process is still the same and serves requests.
async fn serves(lab: &Lab, pid: i32) {
    lab.list(Kind::ConfigMap).await.unwrap();
    assert_eq!(pid_of(lab), pid);
}

/// Sends bytes as the body of a POST; returns the status code and the message of the answer.
async fn post(client: &kube::Client, content_type: &str, bytes: Vec<u8>) -> (u16, String) {
    let request = Request::post(MAPS).header("content-type", content_type).body(Body::from(bytes)).unwrap();
    let response = client.send(request).await.unwrap();
    let code = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let status: Value = serde_json::from_slice(&body).unwrap_or_default();
    (code, status["message"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn bodies_that_are_too_much_are_refused() {
    let lab = Lab::of(1, 1, 0).await.unwrap();
    let pid = pid_of(&lab);
    let client = client_of(&lab, 0).await;
    let map =
        |data: &str| format!(r#"{{"kind":"ConfigMap","apiVersion":"v1","metadata":{{"name":"x"}},"data":{data}}}"#);
    let text = |length: usize| map(&format!(r#"{{"a":"{}"}}"#, "x".repeat(length)));
    let nested = |open: &str, close: &str| map(&format!("{}{}", open.repeat(100_000), close.repeat(100_000)));
    let json = "application/json";
    let labels: serde_json::Map<String, Value> = (0..60_000).map(|n| (format!("bad label {n}"), json!("x"))).collect();
    let labelled = json!({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "x", "labels": labels}});
    // Each line is nine times as large as the one before.
    let laughs: String =
        (1..12).map(|n| format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 9].join(","))).collect();
    let laughs = format!("a0: &a0 [x]\n{laughs}");
    let protobuf = "application/vnd.kubernetes.protobuf";
    for (content_type, body, code, message) in [
        (json, text(4 << 20).into_bytes(), 413, "limit is 3145728"),
        (json, text(2 << 20).into_bytes(), 422, "Too long"),
        (json, nested("[", "]").into_bytes(), 400, "recursion limit"),
        (json, nested(r#"{"a":"#, "}").into_bytes(), 400, "recursion limit"),
        (json, b"{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"data\":{\"a\":\"\xff\xfe\"}}".to_vec(), 400, ""),
        (json, labelled.to_string().into_bytes(), 422, "name part must consist of"),
        ("application/yaml", laughs.into_bytes(), 400, "budget breached"),
        ("application/yaml", "[".repeat(200_000).into_bytes(), 400, ""),
        (protobuf, vec![0xff; 100_000], 400, ""),
        (protobuf, [b"k8s\0".to_vec(), vec![0x12; 50_000]].concat(), 400, ""),
        (protobuf, b"k8s\0\x12\xff\xff\xff\xff\xff\xff\xff\xff\x7f".to_vec(), 400, ""),
        ("application/x-nothing", text(1).into_bytes(), 415, ""),
    ] {
        let start = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        let (answered, said) = post(&client, content_type, body).await;
        assert_eq!(answered, code, "{start}: {said}");
        assert!(said.contains(message), "{start}: {}", &said[..said.len().min(300)]);
    }
    assert_eq!(post(&client, json, text(1).into_bytes()).await.0, 201);
    serves(&lab, pid).await;
}

#[tokio::test]
async fn connections_that_lead_nowhere_keep_nobody_waiting() {
    let lab = Lab::of(1, 1, 0).await.unwrap();
    let pid = pid_of(&lab);
    let mut held = Vec::new();
    for number in 0..300 {
        let mut raw = TcpStream::connect(address(&lab)).await.unwrap();
        // A truncated TLS greeting, plain text instead of TLS, or nothing.
        let beginning: &[u8] =
            [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], b"GET / HTTP/1.1\r\n\r\n", b""][number % 3];
        raw.write_all(beginning).await.unwrap();
        held.push(raw);
    }
    let mut slow = Vec::new();
    for number in 0..60 {
        let mut stream = connect(&lab).await;
        // Half a request, half a preface, or half a body.
        let beginning: &[u8] = [
            &b"GET /api/v1/pods HTTP/1.1\r\nHost: x\r\nX-Slow: "[..],
            b"PRI * HTTP/2.0\r\n",
            b"POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n\r\n{",
        ][number % 3];
        stream.write_all(beginning).await.unwrap();
        slow.push(stream);
    }
    for _ in 0..20 {
        serves(&lab, pid).await;
        for stream in &mut slow {
            // One more byte at a time; writing fails once the connection has been closed.
            let _ = stream.write_all(b"a").await;
        }
    }
    drop((held, slow));
    let mut stream = connect(&lab).await;
    stream.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("ok"), "{answer}");
    serves(&lab, pid).await;
}

#[tokio::test]
async fn ten_thousand_idle_watches_are_served() {
    const CLIENTS: usize = 10;
    const WATCHES: usize = 1_000;
    /// The maximum cost of an idle watch with its stream, in a debug build.
    const KIB_EACH: u64 = 40;
    let lab = Lab::of(1, 1, 0).await.unwrap();
    let (before, _) = memory(&lab);
    let mut watches = Vec::new();
    for _ in 0..CLIENTS {
        let client = lab.cluster.client().unwrap();
        let mut beginning: FuturesUnordered<_> = (0..WATCHES)
            .map(|_| {
                let selection = Selection { labels: "watched=yes".to_owned(), ..Selection::all(Kind::ConfigMap) };
                let mut watch = Watch::new(client.clone(), selection);
                async move {
                    while !matches!(watch.next().await.unwrap(), Event::Complete(_)) {}
                    watch
                }
            })
            .collect();
        while let Some(watch) = beginning.next().await {
            watches.push(watch);
        }
    }
    assert_eq!(watches.len(), CLIENTS * WATCHES);
    let (after, _) = memory(&lab);
    let each = after.saturating_sub(before) / (CLIENTS * WATCHES) as u64;
    assert!(each < KIB_EACH, "each watch costs {each} KiB");

    let mut map = ConfigMap::default();
    map.metadata.name = "told".to_owned();
    map.metadata.labels.insert("watched".to_owned(), "yes".to_owned());
    Api::<ConfigMap>::new(lab.client.clone(), "default").create(map).await.unwrap();
    let mut telling: FuturesUnordered<_> = watches
        .into_iter()
        .map(|mut watch| async move {
            loop {
                match watch.next().await.unwrap() {
                    Event::Applied(object, _) => return object.meta().name.clone(),
                    Event::Progress(_) => {}
                    other => unreachable!("{other:?}"),
                }
            }
        })
        .collect();
    while let Some(name) = telling.next().await {
        assert_eq!(name, "told");
    }
}

#[tokio::test]
async fn a_list_of_fifty_thousand_objects_is_never_in_memory_as_a_whole() {
    const OBJECTS: usize = 50_000;
    const WRITERS: usize = 64;
    const LISTS: usize = 4;
    let lab = Lab::of(1, 1, 0).await.unwrap();
    let writers = (0..WRITERS).map(|writer| {
        let api: Api<ConfigMap> = Api::new(lab.client.clone(), "default");
        tokio::spawn(async move {
            for number in (writer..OBJECTS).step_by(WRITERS) {
                let mut map = ConfigMap::default();
                map.metadata.name = format!("map-{number}");
                map.data.insert("text".to_owned(), "x".repeat(1_000));
                api.create(map).await.unwrap();
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let client = client_of(&lab, 0).await;
    let (_, before) = memory(&lab);
    for accept in ["application/json", "application/vnd.kubernetes.protobuf"] {
        let mut lists: FuturesUnordered<_> = (0..LISTS)
            .map(|_| async {
                let request = Request::get(MAPS).header("accept", accept).body(Body::empty()).unwrap();
                let mut body = client.send(request).await.unwrap().into_body().into_data_stream();
                let mut bytes = 0;
                while let Some(piece) = body.next().await {
                    bytes += piece.unwrap().len();
                }
                bytes
            })
            .collect();
        while let Some(bytes) = lists.next().await {
            assert!(bytes > OBJECTS * 1_000, "{bytes}");
        }
    }
    let (_, after) = memory(&lab);
    // All lists together may use less memory at a time than one whole list.
    let grown = after - before;
    assert!(grown < (OBJECTS * 1_000 / 1_024) as u64, "grown by {grown} KiB");
    assert_eq!(lab.list(Kind::ConfigMap).await.unwrap().len(), OBJECTS + 1);
}
