//! The permissions and the identity of the user, as an apiserver sees them.

use squall_proto::apiextensions::v1::CustomResourceDefinition;
use squall_proto::rbac::v1::PolicyRule;
use squall_proto::squall::api::v1::access_client::AccessClient;
use squall_proto::squall::api::v1::{KindsRequest, Resource, ReviewRequest, RulesRequest, WhoAmIRequest};
use tonic::{Response, Status};

use crate::bearer::Wire;
use crate::client::{Client, no_answer, unreachable};
use crate::error::Error;
use crate::resource::ResourceRef;
use crate::status::api_error;

/// The answer to a permission check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// Whether the action is allowed.
    pub allowed: bool,
    /// The role that allows it.
    pub reason: String,
}

/// The identity of the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The user name, from the client certificate.
    pub user: String,
    /// The groups of the user.
    pub groups: Vec<String>,
}

impl Client {
    /// Checks whether the user may perform a verb on a resource. The resource need not exist.
    pub async fn can_i(&self, verb: &str, of: &ResourceRef, subresource: &str) -> Result<Review, Error> {
        let resource = Resource { subresource: subresource.to_owned(), ..of.to_proto() };
        self.review(ReviewRequest { verb: verb.to_owned(), resource: Some(resource), path: String::new() }).await
    }

    /// Checks whether the user may perform a verb on a path that is no resource.
    pub async fn can_i_at(&self, verb: &str, path: &str) -> Result<Review, Error> {
        self.review(ReviewRequest { verb: verb.to_owned(), resource: None, path: path.to_owned() }).await
    }

    /// Returns the definitions of the kinds that users have defined: the one of this name; or all, without their schemas,
    /// if the name is empty.
    pub async fn kinds(&self, name: &str) -> Result<Vec<CustomResourceDefinition>, Error> {
        let request = KindsRequest { name: name.to_owned() };
        let reply = self
            .ask_any(|mut access| {
                let request = request.clone();
                async move { access.kinds(request).await }
            })
            .await?;
        Ok(reply.definitions)
    }

    async fn review(&self, request: ReviewRequest) -> Result<Review, Error> {
        let reply = self
            .ask_any(|mut access| {
                let request = request.clone();
                async move { access.review(request).await }
            })
            .await?;
        Ok(Review { allowed: reply.allowed, reason: reply.reason })
    }

    /// Returns everything that the user may do in a namespace.
    pub async fn my_rules(&self, namespace: &str) -> Result<Vec<PolicyRule>, Error> {
        let request = RulesRequest { namespace: namespace.to_owned() };
        let reply = self
            .ask_any(|mut access| {
                let request = request.clone();
                async move { access.rules(request).await }
            })
            .await?;
        Ok(reply.rules)
    }

    /// Returns the identity of the user.
    pub async fn who_am_i(&self) -> Result<Identity, Error> {
        let reply = self.ask_any(|mut access| async move { access.who_am_i(WhoAmIRequest {}).await }).await?;
        Ok(Identity { user: reply.user, groups: reply.groups })
    }

    /// Tries one apiserver after the other until one answers.
    async fn ask_any<A, F>(&self, ask: impl Fn(AccessClient<Wire>) -> F) -> Result<A, Error>
    where
        F: Future<Output = Result<Response<A>, Status>>,
    {
        let mut last = no_answer();
        for (_, channel) in self.channels() {
            match tokio::time::timeout(self.deadline(), ask(AccessClient::new(channel))).await {
                Ok(Ok(reply)) => return Ok(reply.into_inner()),
                Ok(Err(status)) if !status.details().is_empty() => return Err(api_error(&status).into()),
                Ok(Err(status)) => last = status,
                Err(_) => {}
            }
        }
        Err(unreachable(&self.endpoints(), &last))
    }
}
