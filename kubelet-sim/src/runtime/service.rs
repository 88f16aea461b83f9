//! The runtime's gRPC service.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use squall_daemon::Gateway;
use squall_proto::squall::cri::v1 as cri;
use squall_proto::squall::cri::v1::runtime_server::{Runtime, RuntimeServer};
use tokio::sync::Mutex;
use tokio_stream::wrappers::BroadcastStream;
use tonic::{Request, Response, Status};

use super::containers::Containers;
use super::proxy::{Proxy, Retries};
use crate::catalogue::Catalogue;

/// Serves one kubelet.
pub struct RuntimeService {
    containers: Containers,
    proxy: Mutex<Proxy>,
}

impl RuntimeService {
    /// Creates the service with these images. It reaches pods through the gateway.
    pub fn server(catalogue: Catalogue, gateway: Gateway, retries: Retries) -> RuntimeServer<Self> {
        let proxy = Mutex::new(Proxy::new(gateway, retries));
        RuntimeServer::new(Self { containers: Containers::new(catalogue), proxy })
    }
}

#[tonic::async_trait]
impl Runtime for RuntimeService {
    type EventsStream = BoxStream<'static, Result<cri::Event, Status>>;

    async fn state(&self, _: Request<cri::StateRequest>) -> Result<Response<cri::StateReply>, Status> {
        Ok(Response::new(self.containers.snapshot()))
    }

    async fn image_status(
        &self,
        request: Request<cri::ImageStatusRequest>,
    ) -> Result<Response<cri::ImageStatusReply>, Status> {
        Ok(Response::new(self.containers.image_status(&request.into_inner().image)))
    }

    async fn exec(&self, request: Request<cri::ExecRequest>) -> Result<Response<cri::ExecReply>, Status> {
        Ok(Response::new(self.containers.exec(&request.into_inner())?))
    }

    async fn pull_image(
        &self,
        request: Request<cri::PullImageRequest>,
    ) -> Result<Response<cri::PullImageReply>, Status> {
        Ok(Response::new(self.containers.pull(&request.into_inner().image).await?))
    }

    async fn start_container(
        &self,
        request: Request<cri::StartContainerRequest>,
    ) -> Result<Response<cri::StartContainerReply>, Status> {
        Ok(Response::new(self.containers.start(request.into_inner())?))
    }

    async fn stop_container(
        &self,
        request: Request<cri::StopContainerRequest>,
    ) -> Result<Response<cri::StopContainerReply>, Status> {
        let request = request.into_inner();
        let grace = Duration::from_millis(u64::try_from(request.grace_period_millis).unwrap_or(0));
        self.containers.stop(&request.id, grace);
        Ok(Response::new(cri::StopContainerReply {}))
    }

    async fn remove_pod(
        &self,
        request: Request<cri::RemovePodRequest>,
    ) -> Result<Response<cri::RemovePodReply>, Status> {
        self.containers.remove_pod(&request.into_inner().pod_uid);
        Ok(Response::new(cri::RemovePodReply {}))
    }

    async fn events(&self, _: Request<cri::EventsRequest>) -> Result<Response<Self::EventsStream>, Status> {
        let events = BroadcastStream::new(self.containers.events()).map(|event| match event {
            Ok(container) => Ok(cri::Event { container: Some(container) }),
            // A kubelet that missed an event reads the state again.
            Err(_) => Err(Status::data_loss("events were missed")),
        });
        Ok(Response::new(events.boxed()))
    }

    type LogsStream = BoxStream<'static, Result<cri::LogLine, Status>>;

    async fn logs(&self, request: Request<cri::LogsRequest>) -> Result<Response<Self::LogsStream>, Status> {
        let request = request.into_inner();
        let log = self.containers.log(&request.id)?;
        Ok(Response::new(super::log_stream::lines(log, request).map(Ok).boxed()))
    }

    async fn set_services(
        &self,
        request: Request<cri::SetServicesRequest>,
    ) -> Result<Response<cri::SetServicesReply>, Status> {
        let unbound = self.proxy.lock().await.set(&request.into_inner().ports);
        Ok(Response::new(cri::SetServicesReply { unbound }))
    }
}
