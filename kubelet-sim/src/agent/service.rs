//! The kubelet's server, which answers apiservers at its node's address.

use std::net::SocketAddr;

use anyhow::Context;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use squall_daemon::identity::{self, Caller};
use squall_daemon::tls;
use squall_flags::TlsFlags;
use squall_proto::squall::cri::v1 as cri;
use squall_proto::squall::node::v1 as proto;
use squall_proto::squall::node::v1::kubelet_server::{Kubelet, KubeletServer};
use tokio::net::TcpListener;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Server;
use tonic::{Request, Response, Status};

use super::runtime_client::Runtime;

/// The port of kubelets in Kubernetes.
pub const PORT: u16 = 10_250;

struct KubeletService {
    runtime: Runtime,
}

/// Serves at the node's address. Returns only on an error.
pub async fn serve(address: SocketAddr, files: &TlsFlags, runtime: Runtime) -> anyhow::Result<()> {
    let listener = TcpListener::bind(address).await.with_context(|| format!("listening on {address}"))?;
    let incoming = Box::pin(identity::incoming(listener, tls::server(files)?));
    let service = InterceptedService::new(KubeletServer::new(KubeletService { runtime }), apiservers_only);
    Server::builder().add_service(service).serve_with_incoming(incoming).await.context("serving")
}

fn apiservers_only(request: Request<()>) -> Result<Request<()>, Status> {
    match request.extensions().get::<Caller>() {
        Some(caller) if caller.is_master() => Ok(request),
        _ => Err(Status::permission_denied("only apiservers may call a kubelet")),
    }
}

#[tonic::async_trait]
impl Kubelet for KubeletService {
    type LogsStream = BoxStream<'static, Result<proto::LogLine, Status>>;

    async fn logs(&self, request: Request<proto::LogsRequest>) -> Result<Response<Self::LogsStream>, Status> {
        let request = request.into_inner();
        let mut runtime = self.runtime.clone();
        let state = runtime.state(cri::StateRequest {}).await?.into_inner();
        let container = chosen(&state.containers, &request)?;
        let asked = cri::LogsRequest {
            id: container.id.clone(),
            follow: request.follow,
            tail_lines: request.tail_lines,
            since: request.since,
        };
        let lines = runtime.logs(asked).await?.into_inner();
        let lines = lines.map(|line| line.map(|line| proto::LogLine { at: line.at, text: line.text }));
        Ok(Response::new(lines.boxed()))
    }
}

/// Returns the requested container: its last attempt, or the one before.
fn chosen<'a>(containers: &'a [cri::Container], request: &proto::LogsRequest) -> Result<&'a cri::Container, Status> {
    let (pod, name) = (&request.pod_name, &request.container);
    let mut attempts: Vec<&cri::Container> = containers
        .iter()
        .filter(|c| c.pod_namespace == request.pod_namespace && c.pod_name == *pod && c.name == *name)
        .collect();
    attempts.sort_by_key(|container| (container.started_at, container.attempt));
    let last = attempts.pop();
    match (request.previous, last) {
        (false, Some(last)) => Ok(last),
        (false, None) => {
            Err(Status::failed_precondition(format!("container {name:?} in pod {pod:?} is waiting to start")))
        }
        (true, _) => attempts.pop().ok_or_else(|| {
            Status::failed_precondition(format!("previous terminated container {name:?} in pod {pod:?} not found"))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_attempt_is_meant_or_the_one_before() {
        let attempt = |attempt: i32| cri::Container {
            id: attempt.to_string(),
            pod_namespace: "default".to_owned(),
            pod_name: "x".to_owned(),
            name: "c".to_owned(),
            attempt,
            started_at: attempt.into(),
            ..cri::Container::default()
        };
        let request = |previous| proto::LogsRequest {
            pod_namespace: "default".to_owned(),
            pod_name: "x".to_owned(),
            container: "c".to_owned(),
            previous,
            ..proto::LogsRequest::default()
        };
        let containers = [attempt(1), attempt(0)];
        assert_eq!(chosen(&containers, &request(false)).unwrap().id, "1");
        assert_eq!(chosen(&containers, &request(true)).unwrap().id, "0");
        assert!(chosen(&containers[..1], &request(true)).is_err());
        assert!(chosen(&[], &request(false)).unwrap_err().message().contains("waiting to start"));
    }
}
