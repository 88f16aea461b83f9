//! Measures the speed of the API over gRPC and REST, and the memory cost of pods. Absolute figures depend on the
//! machine; compare the two within one run.
//!
//! `cargo build --release --workspace && cargo bench --workspace --bench api`

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark ends where it fails, and prints its figures"
)]

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::{self, FuturesUnordered};
use http::Request;
use http_body_util::BodyExt;
use k8s_openapi::api::core::v1::Pod as KubePod;
use kube::api::{Api as KubeApi, ListParams, PostParams};
use kube::client::Body;
use serde_json::json;
use squall_api::core::v1::Pod;
use squall_api::{Kind, Object};
use squall_client::{Api, Client, Event, ResourceRef, Selection, Watch};
use squall_cluster::MemberName;
use squall_tests::Lab;

use squall_client_tests::client_of;

const PODS: usize = 10_000;
const CONCURRENT: usize = 64;
const WATCHERS: usize = 1_000;
const ROUNDS: usize = 15;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(measure());
}

async fn measure() {
    let lab = Lab::of(3, 1, 0).await.unwrap();
    let rest = client_of(&lab, 0).await;
    println!("{:<44} {:>12} {:>12} {:>8}", "", "gRPC", "REST", "ratio");
    create(&lab, &rest).await;
    get(&lab.client, &rest).await;
    list(&lab.client, &rest).await;
    fan_out(&lab, &rest).await;
}

/// Returns a pod much like a Deployment's, which no scheduler handles.
fn pod(name: &str, few: bool) -> serde_json::Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": name,
            "labels": {"app": "kubia", "pod-template-hash": "7d6f9c8b5d", "few": few.to_string()},
            "annotations": {"note": "an owner that is not there would have the pod collected"},
        },
        "spec": {
            "schedulerName": "nobody",
            "containers": [{
                "name": "nodejs", "image": "luksa/kubia:v2",
                "ports": [{"containerPort": 8080}],
                "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
                "readinessProbe": {"periodSeconds": 1, "httpGet": {"path": "/", "port": 8080}},
            }],
        },
    })
}

fn of_json<K: serde::de::DeserializeOwned>(value: serde_json::Value) -> K {
    serde_json::from_value(value).unwrap()
}

fn line(what: &str, grpc: f64, rest: f64, unit: &str) {
    println!("{what:<44} {:>12} {:>12} {:>8.2}", format!("{grpc:.2} {unit}"), format!("{rest:.2} {unit}"), rest / grpc);
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1e3
}

/// Returns the resident memory of each apiserver, in MiB.
fn memory(lab: &Lab) -> Vec<f64> {
    let members = (0..3).map(|index| format!("apiserver-{index}").parse::<MemberName>().unwrap());
    members.map(|member| lab.cluster.usage(member).unwrap().resident_mib()).collect()
}

async fn create(lab: &Lab, rest: &kube::Client) {
    let grpc_pods: Api<Pod> = Api::new(lab.client.clone(), "default");
    let rest_pods: KubeApi<KubePod> = KubeApi::namespaced(rest.clone(), "kube-public");
    let before = memory(lab);
    let by_grpc = rate(PODS, |number| {
        let (api, pod) = (grpc_pods.clone(), of_json(pod(&format!("pod-{number}"), number % 1_000 == 0)));
        async move { drop(api.create(pod).await.unwrap()) }
    })
    .await;
    let after = memory(lab);
    let by_rest = rate(PODS / 5, |number| {
        let (api, pod) = (rest_pods.clone(), of_json(pod(&format!("pod-{number}"), false)));
        async move { drop(api.create(&PostParams::default(), &pod).await.unwrap()) }
    })
    .await;
    line(&format!("create, {CONCURRENT} clients"), by_grpc / 1e3, by_rest / 1e3, "k/s");
    let single_grpc = times(300, |number| {
        let (api, pod) = (grpc_pods.clone(), of_json(pod(&format!("single-{number}"), false)));
        async move { drop(api.create(pod).await.unwrap()) }
    })
    .await;
    let single_rest = times(300, |number| {
        let (api, pod) = (rest_pods.clone(), of_json(pod(&format!("single-{number}"), false)));
        async move { drop(api.create(&PostParams::default(), &pod).await.unwrap()) }
    })
    .await;
    line("create, one client, median", single_grpc, single_rest, "ms");
    let grown: Vec<String> =
        before.iter().zip(&after).map(|(before, after)| format!("{:.1}", after - before)).collect();
    println!("memory of each apiserver for {PODS} pods: {} MiB", grown.join(", "));
}

/// Returns how many operations per second many clients complete.
async fn rate<F: Future<Output = ()>>(count: usize, work: impl FnMut(usize) -> F) -> f64 {
    let began = Instant::now();
    stream::iter((0..count).map(work)).buffer_unordered(CONCURRENT).for_each(|()| async {}).await;
    count as f64 / began.elapsed().as_secs_f64()
}

/// Returns the median duration of sequential operations, in milliseconds.
async fn times<F: Future<Output = ()>>(count: usize, mut work: impl FnMut(usize) -> F) -> f64 {
    let mut times = Vec::new();
    for number in 0..count {
        let began = Instant::now();
        work(number).await;
        times.push(began.elapsed());
    }
    median(times)
}

async fn get(client: &Client, rest: &kube::Client) {
    let grpc_pods: Api<Pod> = Api::new(client.clone(), "default");
    let rest_pods: KubeApi<KubePod> = KubeApi::default_namespaced(rest.clone());
    let name = |number: usize| format!("pod-{}", number * 7 % PODS);
    let grpc = async |number: usize| drop(grpc_pods.get(&name(number)).await.unwrap());
    let rest = async |number: usize| drop(rest_pods.get(&name(number)).await.unwrap());
    line("get, one client, median", times(2_000, grpc).await, times(2_000, rest).await, "ms");
    line(&format!("get, {CONCURRENT} clients"), rate(20_000, grpc).await / 1e3, rate(20_000, rest).await / 1e3, "k/s");
}

async fn list(client: &Client, rest: &kube::Client) {
    let all = ResourceRef::collection(Kind::Pod, "default");
    let rest_pods: KubeApi<KubePod> = KubeApi::default_namespaced(rest.clone());
    let grpc = times(ROUNDS, async |_| assert!(client.list(&all, "", "", "").await.unwrap().1.len() >= PODS)).await;
    let decoded =
        times(ROUNDS, async |_| assert!(rest_pods.list(&ListParams::default()).await.unwrap().items.len() >= PODS))
            .await;
    line(&format!("list of {PODS} pods, decoded, median"), grpc, decoded, "ms");
    for (what, accept) in [("JSON", "application/json"), ("protobuf", "application/vnd.kubernetes.protobuf")] {
        let raw = times(ROUNDS, async |_| {
            let request = Request::get("/api/v1/namespaces/default/pods").header("accept", accept);
            let response = rest.send(request.body(Body::empty()).unwrap()).await.unwrap();
            let mut body = response.into_body().into_data_stream();
            while let Some(piece) = body.next().await {
                piece.unwrap();
            }
        })
        .await;
        line(&format!("the same, REST as {what}, not decoded"), grpc, raw, "ms");
    }
    let few = ListParams::default().labels("few=true");
    let grpc = times(200, async |_| assert_eq!(client.list(&all, "few=true", "", "").await.unwrap().1.len(), 10)).await;
    let rest = times(200, async |_| assert_eq!(rest_pods.list(&few).await.unwrap().items.len(), 10)).await;
    line(&format!("10 of {PODS} pods by label, median"), grpc, rest, "ms");
}

/// Measures the time from sending a write until every watcher has received it.
async fn fan_out(lab: &Lab, rest: &kube::Client) {
    let writer: Api<squall_api::core::v1::ConfigMap> = Api::new(lab.client.clone(), "default");
    let write = async |number: usize, of: &str| {
        let mut map = squall_api::core::v1::ConfigMap::default();
        map.metadata.name = format!("{of}-{number}");
        map.metadata.labels.insert("fan".to_owned(), of.to_owned());
        writer.create(map).await.unwrap();
    };
    let selection = Selection { labels: "fan=grpc".to_owned(), ..Selection::all(Kind::ConfigMap) };
    let watcher = lab.cluster.client().unwrap();
    let watches = stream::iter((0..WATCHERS).map(|_| {
        let mut watch = Watch::new(watcher.clone(), selection.clone());
        async move {
            while !matches!(watch.next().await.unwrap(), Event::Complete(_)) {}
            watch
        }
    }));
    let mut watches: Vec<Watch> = watches.buffer_unordered(CONCURRENT).collect().await;
    let mut grpc = Vec::new();
    for number in 0..ROUNDS {
        let began = Instant::now();
        write(number, "grpc").await;
        let told: FuturesUnordered<_> = watches.iter_mut().map(grpc_told).collect();
        assert_eq!(told.filter(|object| std::future::ready(object.is_some())).count().await, WATCHERS);
        grpc.push(began.elapsed());
    }
    drop(watches);
    let path = "/api/v1/namespaces/default/configmaps?watch=true&labelSelector=fan%3Drest&resourceVersion=0";
    let streams = stream::iter((0..WATCHERS).map(|_| async {
        rest.send(Request::get(path).body(Body::empty()).unwrap()).await.unwrap().into_body().into_data_stream()
    }));
    let mut streams: Vec<_> = streams.buffer_unordered(CONCURRENT).collect().await;
    let mut by_rest = Vec::new();
    for number in 0..ROUNDS {
        let began = Instant::now();
        write(number, "rest").await;
        let told: FuturesUnordered<_> = streams.iter_mut().map(|stream| stream.next()).collect();
        assert_eq!(told.filter(|piece| std::future::ready(matches!(piece, Some(Ok(_))))).count().await, WATCHERS);
        by_rest.push(began.elapsed());
    }
    line(&format!("a write to {WATCHERS} watchers, median"), median(grpc), median(by_rest), "ms");
}

async fn grpc_told(watch: &mut Watch) -> Option<Box<Object>> {
    loop {
        match watch.next().await.unwrap() {
            Event::Applied(object, _) => return Some(object),
            Event::Progress(_) => {}
            _ => return None,
        }
    }
}
