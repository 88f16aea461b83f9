//! The resource harness: hostile patterns of requests and connections are played against a real member while its memory,
//! its longest stall, its leadership and another client's writes are watched. Every pattern keeps the same bounds.

#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a test ends where it fails, and says what it measured")]

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Empty;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use serde_json::{Value, json};
use squall_api::core::v1::ConfigMap;
use squall_client::{Api, Kubeconfig};
use squall_cluster::{MemberName, Role};
use squall_tests::raw::{Identity, Protocol, Raw};
use squall_tests::{Lab, wait_for};
use tokio::io::AsyncReadExt;
use tokio::task::JoinSet;
use tokio::time::interval;

/// How much memory a pattern may cost, in MiB.
const MOST_MIB: f64 = 300.0;
/// The longest stall of `/livez`. Debug builds on a busy machine are many times slower than what users run, for which
/// docs/security.md has the measured stalls.
const MOST_STALL: Duration = Duration::from_secs(2);

/// Interval of the looks at the member.
const LOOK: Duration = Duration::from_millis(20);

/// A cluster of one apiserver with some content, and what is watched.
struct Harness {
    lab: Lab,
    raw: Raw,
}

/// The measurements during a pattern.
#[derive(Debug)]
struct Seen {
    mib: f64,
    stall: Duration,
    slowest_write: Duration,
}

impl Harness {
    async fn start() -> Self {
        let lab = Lab::of(1, 1, 0).await.unwrap();
        let entry = Kubeconfig::read(&lab.cluster.kubeconfig()).unwrap().current().unwrap();
        let raw = Raw::of(entry).unwrap();
        let maps: Api<ConfigMap> = Api::new(lab.client.clone(), "default");
        for number in 0..200 {
            let mut map = ConfigMap::default();
            map.metadata.name = format!("content-{number}");
            map.data.insert("value".to_owned(), "x".repeat(2_000));
            maps.create(map).await.unwrap();
        }
        Self { lab, raw }
    }

    fn resident_mib(&self) -> f64 {
        let member = MemberName { role: Role::Apiserver, index: 0 };
        self.lab.cluster.usage(member).unwrap().resident_mib()
    }

    async fn term(&self) -> u64 {
        self.lab.client.member_status(&self.lab.cluster.apiserver_url(0)).await.unwrap().term
    }

    /// Plays a pattern and checks the bounds.
    async fn play(&self, name: &str, pattern: impl Future<Output = ()>) {
        let (before, term) = (self.resident_mib(), self.term().await);
        let over = Arc::new(AtomicBool::new(false));
        let watching = async {
            let (memory, stall, slowest_write) = tokio::join!(
                async {
                    let (mut most, mut looks) = (before, interval(LOOK));
                    while !over.load(Ordering::Relaxed) {
                        most = most.max(self.resident_mib());
                        looks.tick().await;
                    }
                    most
                },
                async { tokio::spawn(longest_stall(self.raw.clone(), over.clone())).await.unwrap() },
                self.slowest_write(&over),
            );
            Seen { mib: memory - before, stall, slowest_write }
        };
        let pattern = async {
            pattern.await;
            over.store(true, Ordering::Relaxed);
        };
        let (seen, ()) = tokio::join!(watching, pattern);
        eprintln!(
            "{name}: {:.0} MiB more, /livez at most {:.0} ms, another's write at most {:.0} ms",
            seen.mib,
            seen.stall.as_secs_f64() * 1_000.0,
            seen.slowest_write.as_secs_f64() * 1_000.0
        );
        assert!(seen.mib < MOST_MIB, "{name}: {seen:?}");
        assert!(seen.stall < MOST_STALL, "{name}: {seen:?}");
        assert_eq!(self.term().await, term, "{name} cost the leader its term");
    }

    /// Writes as another client.
    async fn slowest_write(&self, over: &AtomicBool) -> Duration {
        let maps: Api<ConfigMap> = Api::new(self.lab.cluster.client().unwrap(), "default");
        let (mut slowest, mut number, mut looks) = (Duration::ZERO, 0, interval(LOOK));
        while !over.load(Ordering::Relaxed) {
            let begun = Instant::now();
            maps.patch("content-0", &json!({"data": {"number": number.to_string()}})).await.unwrap();
            slowest = slowest.max(begun.elapsed());
            number += 1;
            looks.tick().await;
        }
        slowest
    }

    /// Lists many times at once, each in a task of its own: this process must not be the one that is slow.
    async fn list_at_once(&self, times: usize) -> Vec<u16> {
        let mut lists = JoinSet::new();
        for _ in 0..times {
            let raw = self.raw.clone();
            lists.spawn(async move { raw.ask(Identity::User, "GET", CONTENT, "", b"").await.unwrap().0 });
        }
        lists.join_all().await
    }

    async fn ask(&self, identity: Identity, method: &str, path: &str, content_type: &str, body: &str) -> u16 {
        self.raw.ask(identity, method, path, content_type, body.as_bytes()).await.unwrap().0
    }
}

/// Asks for the health on new connections, as a kubelet does.
async fn longest_stall(raw: Raw, over: Arc<AtomicBool>) -> Duration {
    let (mut longest, mut looks) = (Duration::ZERO, interval(LOOK));
    while !over.load(Ordering::Relaxed) {
        let begun = Instant::now();
        let (code, _) = raw.ask(Identity::Anonymous, "GET", "/livez", "", b"").await.unwrap();
        assert_eq!(code, 200);
        longest = longest.max(begun.elapsed());
        looks.tick().await;
    }
    longest
}

const CONTENT: &str = "/api/v1/namespaces/default/configmaps";
const STRATEGIC: &str = "application/strategic-merge-patch+json";
const JSON_PATCH: &str = "application/json-patch+json";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_requests_cost_little_memory_and_time() {
    let harness = Harness::start().await;

    harness
        .play("many long lists at once", async {
            for code in harness.list_at_once(200).await {
                assert!([200, 429].contains(&code), "{code}");
            }
        })
        .await;

    let nested = format!("{{{}", "\"a\":{\"a\":1,".repeat(40_000));
    harness
        .play("the body of an anonymous DELETE", async {
            let path = format!("{CONTENT}/content-1");
            assert_eq!(harness.ask(Identity::Anonymous, "DELETE", &path, "application/json", &nested).await, 403);
        })
        .await;

    let terms = vec!["metadata.name=content-1"; 500].join(",");
    harness
        .play("a field selector of many equal terms", async {
            let path = format!("{CONTENT}?fieldSelector={terms}");
            assert!([200, 400].contains(&harness.ask(Identity::User, "GET", &path, "", "").await));
        })
        .await;

    let long = finalizers(20_000);
    harness
        .play("strategic patches of long lists", async {
            for _ in 0..3 {
                let path = format!("{CONTENT}/content-2");
                assert!([200, 413, 422].contains(&harness.ask(Identity::User, "PATCH", &path, STRATEGIC, &long).await));
            }
        })
        .await;

    harness
        .play("many lists of a large object", async {
            for code in harness.list_at_once(100).await {
                assert!([200, 429].contains(&code), "{code}");
            }
        })
        .await;

    let copies: Vec<Value> = (0..30).map(|_| json!({"op": "copy", "from": "/data", "path": "/data/again"})).collect();
    harness
        .play("a JSON patch that copies things into themselves", async {
            let path = format!("{CONTENT}/content-3");
            let code = harness.ask(Identity::User, "PATCH", &path, JSON_PATCH, &json!(copies).to_string()).await;
            assert!((400..500).contains(&code), "{code}");
        })
        .await;
}

/// A patch with this many finalizers, each of which is sorted into its place.
fn finalizers(count: usize) -> String {
    let mut list = String::new();
    for number in 0..count {
        write!(list, "\"example.com/{number}\",").unwrap();
    }
    let list = list.trim_end_matches(',');
    format!("{{\"metadata\":{{\"$setElementOrder/finalizers\":[{list}],\"finalizers\":[{list}]}}}}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crowds_of_connections_keep_nobody_out() {
    let harness = Harness::start().await;

    harness
        .play("silent connections", async {
            let mut silent = Vec::new();
            for _ in 0..1_500 {
                silent.push(harness.raw.silent().await.unwrap());
            }
            // A newcomer gets in although all of them are waited for.
            assert_eq!(harness.ask(Identity::User, "GET", CONTENT, "", "").await, 200);
        })
        .await;

    harness
        .play("anonymous connections that answer pings", async {
            let mut open = Vec::new();
            for _ in 0..400 {
                open.push(talkative(&harness.raw, Identity::Anonymous).await.1);
            }
            wait_for("the oldest to be closed", || async {
                let left = open.iter().filter(|connection| !connection.is_finished()).count();
                if left <= 256 { Ok(()) } else { Err(left) }
            })
            .await
            .unwrap();
        })
        .await;

    harness
        .play("silence after the handshake", async {
            let mut silent = Vec::new();
            for _ in 0..300 {
                silent.push(harness.raw.connect(Identity::Anonymous, Protocol::Http2).await.unwrap());
            }
            // The oldest one has lost its place.
            let mut buffer = [0; 64];
            let read = tokio::time::timeout(Duration::from_secs(30), async {
                while silent[0].read(&mut buffer).await.is_ok_and(|read| read > 0) {}
            });
            assert!(read.await.is_ok(), "the oldest connection is still open");
        })
        .await;
}

/// Opens an HTTP/2 connection, which receives no more than its window as long as nobody reads. The task answers pings
/// until the connection ends.
async fn talkative(
    raw: &Raw,
    identity: Identity,
) -> (http2::SendRequest<Empty<Bytes>>, tokio::task::JoinHandle<Result<(), hyper::Error>>) {
    let stream = raw.connect(identity, Protocol::Http2).await.unwrap();
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20)
        .handshake(TokioIo::new(stream))
        .await
        .unwrap();
    (sender, tokio::spawn(connection))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unread_answers_and_watches_fill_no_memory() {
    let harness = Harness::start().await;
    for (name, path, requests) in [
        ("unread lists", CONTENT.to_owned(), 4_000),
        ("unread lists of YAML", CONTENT.to_owned(), 1_000),
        ("unread watches", format!("{CONTENT}?watch=true"), 4_000),
    ] {
        harness
            .play(name, async {
                let mut unread = Vec::new();
                let (mut answered, mut refused) = (0, 0);
                for _ in 0..requests / 500 {
                    let (mut sender, _connection) = talkative(&harness.raw, Identity::User).await;
                    for _ in 0..500 {
                        let accept = if name.ends_with("YAML") { "application/yaml" } else { "application/json" };
                        let request = hyper::Request::get(format!("https://x{path}")).header("accept", accept);
                        sender.ready().await.unwrap();
                        let answer = sender.send_request(request.body(Empty::new()).unwrap()).await;
                        match answer.map(|answer| (answer.status().as_u16(), answer)) {
                            Ok((200, answer)) => {
                                answered += 1;
                                unread.push(answer);
                            }
                            Ok((429, _)) => {
                                refused += 1;
                            }
                            other => panic!("{name}: {other:?}"),
                        }
                    }
                }
                eprintln!("{name}: {answered} answered, {refused} refused");
                assert!(answered > 0);
            })
            .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unread_watches_of_a_large_object_fill_no_memory() {
    const WATCHES: usize = 600;
    let harness = Harness::start().await;
    let maps: Api<ConfigMap> = Api::new(harness.lab.client.clone(), "default");
    maps.patch("content-1", &json!({"data": {"value": "a".repeat(900_000)}})).await.unwrap();
    harness
        .play("unread watches of a large object", async {
            let (mut unread, mut connections) = (Vec::new(), Vec::new());
            for _ in 0..WATCHES / 150 {
                let (mut sender, connection) = talkative(&harness.raw, Identity::User).await;
                for _ in 0..150 {
                    let path = format!("https://x{CONTENT}?watch=true&fieldSelector=metadata.name=content-1");
                    sender.ready().await.unwrap();
                    let request = hyper::Request::get(path).body(Empty::new()).unwrap();
                    // A caller who has taken too much gets no more: the request is refused, or its stream is reset.
                    match sender.send_request(request).await {
                        Ok(answer) if answer.status() == 200 => unread.push(answer),
                        Ok(answer) => assert_eq!(answer.status(), 429),
                        Err(error) => assert!(error.to_string().contains("http2"), "{error}"),
                    }
                }
                connections.push(connection);
            }
            eprintln!("unread watches of a large object: {} of {WATCHES} go on", unread.len());
            assert!((50..WATCHES / 2).contains(&unread.len()), "{}", unread.len());
            drop((unread, connections));
            wait_for("room for a watch that is read", || async {
                let path = format!("{CONTENT}?watch=true&timeoutSeconds=1&fieldSelector=metadata.name=content-1");
                match harness.raw.ask(Identity::User, "GET", &path, "", b"").await {
                    Ok((200, text)) if text.contains("content-1") => Ok(()),
                    Ok((code, text)) => Err(format!("{code} with {} bytes", text.len())),
                    Err(error) => Err(error.to_string()),
                }
            })
            .await
            .unwrap();
        })
        .await;
}
