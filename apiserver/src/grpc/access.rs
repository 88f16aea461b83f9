//! The access service: what callers may do, and who they are.

use squall_proto::squall::api::v1 as proto;
use squall_proto::squall::api::v1::access_server::{Access, AccessServer};
use tonic::{Request, Response, Status};

use super::handlers_of;
use super::status::answered;
use crate::authorization::{Action, Target};
use crate::registry::Registry;

/// Answers callers' questions about their own permissions and identity.
pub struct AccessService {
    registry: Registry,
}

impl AccessService {
    /// Returns the gRPC server for a registry.
    #[must_use]
    pub fn server(registry: Registry) -> AccessServer<Self> {
        AccessServer::new(Self { registry })
    }
}

#[tonic::async_trait]
impl Access for AccessService {
    async fn review(&self, request: Request<proto::ReviewRequest>) -> Result<Response<proto::ReviewReply>, Status> {
        let handlers = handlers_of(&self.registry, &request);
        answered(async {
            let request = request.into_inner();
            let target = match &request.resource {
                Some(resource) => Target::Resource {
                    group: &resource.group,
                    resource: &resource.plural,
                    subresource: &resource.subresource,
                    namespace: &resource.namespace,
                    name: &resource.name,
                },
                None => Target::Path(&request.path),
            };
            let review = handlers.review(handlers.caller(), &Action { verb: &request.verb, target });
            Ok(proto::ReviewReply { allowed: review.allowed, reason: review.reason })
        })
        .await
    }

    async fn rules(&self, request: Request<proto::RulesRequest>) -> Result<Response<proto::RulesReply>, Status> {
        let handlers = handlers_of(&self.registry, &request);
        Ok(Response::new(proto::RulesReply { rules: handlers.rules(&request.into_inner().namespace) }))
    }

    async fn kinds(&self, request: Request<proto::KindsRequest>) -> Result<Response<proto::KindsReply>, Status> {
        let handlers = handlers_of(&self.registry, &request);
        answered(async {
            // As over REST, whoever may see the API may see its kinds.
            handlers.authorize_path("/apis")?;
            Ok(proto::KindsReply { definitions: handlers.kinds(&request.into_inner().name)? })
        })
        .await
    }

    async fn who_am_i(&self, request: Request<proto::WhoAmIRequest>) -> Result<Response<proto::WhoAmIReply>, Status> {
        let handlers = handlers_of(&self.registry, &request);
        let caller = handlers.caller();
        Ok(Response::new(proto::WhoAmIReply { user: caller.user().to_owned(), groups: caller.groups().to_vec() }))
    }
}
