//! The reviews: may I or may they, what may I, who am I, whose token is it.

use axum::extract::Request;
use axum::response::Response;
use http::{Method, StatusCode};
use squall_api::Error;
use squall_api::authentication::v1::{
    SelfSubjectReview, SelfSubjectReviewStatus, TokenReview, TokenReviewSpec, TokenReviewStatus, UserInfo,
};
use squall_api::authorization::v1::{
    LocalSubjectAccessReview, NonResourceAttributes, NonResourceRule, ResourceAttributes, ResourceRule,
    SelfSubjectAccessReview, SelfSubjectRulesReview, SubjectAccessReview, SubjectAccessReviewSpec,
    SubjectAccessReviewStatus, SubjectRulesReviewStatus,
};
use squall_daemon::identity::Caller;

use super::accept::{Encoding, Shape};
use super::objects::Head;
use super::path::Review;
use crate::authorization::{Action, Target, Verb};
use crate::handlers::Handlers;
use crate::registry::Unproven;
use crate::tokens::ISSUER;

const AUTHORIZATION: &str = "authorization.k8s.io";

/// Serves a review.
pub async fn serve(handlers: Handlers, review: Review, request: Request) -> Result<Response, Error> {
    let (parts, body) = request.into_parts();
    if parts.method != Method::POST {
        return Err(Error::no_such_method());
    }
    permit(&handlers, &review)?;
    let head = Head::read(handlers.clone(), &parts.uri, parts.headers)?;
    let body = head.body(body).await?;
    if head.writer.format.shape != Shape::Objects {
        // Kubernetes: a review has no rows and no metadata.
        return Err(Error::not_acceptable(&Encoding::ALL.map(Encoding::content_type)));
    }
    let access = format!("{AUTHORIZATION}/v1");
    let writer = &head.writer;
    match review {
        Review::Access => {
            let asked: SelfSubjectAccessReview = body.message("authorization.v1.SelfSubjectAccessReview")?;
            let answer = own_access(&handlers, asked);
            writer.message(&answer, "SelfSubjectAccessReview", &access, StatusCode::CREATED)
        }
        Review::Rules => {
            let asked = body.message("authorization.v1.SelfSubjectRulesReview")?;
            writer.message(&rules(&handlers, asked)?, "SelfSubjectRulesReview", &access, StatusCode::CREATED)
        }
        Review::AccessOfOthers => {
            let mut asked: SubjectAccessReview = body.message("authorization.v1.SubjectAccessReview")?;
            asked.status = others_access(&handlers, &asked.spec)?;
            writer.message(&asked, "SubjectAccessReview", &access, StatusCode::CREATED)
        }
        Review::LocalAccess(namespace) => {
            let asked = body.message("authorization.v1.LocalSubjectAccessReview")?;
            let answer = local_access(&handlers, asked, &namespace)?;
            writer.message(&answer, "LocalSubjectAccessReview", &access, StatusCode::CREATED)
        }
        Review::Subject => {
            writer.message(&subject(&handlers), "SelfSubjectReview", "authentication.k8s.io/v1", StatusCode::CREATED)
        }
        Review::Token => {
            let mut asked: TokenReview = body.message("authentication.v1.TokenReview")?;
            asked.status = token(&handlers, &asked.spec).await?;
            writer.message(&asked, "TokenReview", "authentication.k8s.io/v1", StatusCode::CREATED)
        }
    }
}

/// Everybody who is known may ask about themselves. Questions about others need a permission.
fn permit(handlers: &Handlers, review: &Review) -> Result<(), Error> {
    let (group, resource, namespace) = match review {
        Review::Access | Review::Rules | Review::Subject => {
            return if handlers.caller().is_known() { Ok(()) } else { Err(Error::unauthorized()) };
        }
        Review::AccessOfOthers => (AUTHORIZATION, "subjectaccessreviews", ""),
        Review::LocalAccess(namespace) => (AUTHORIZATION, "localsubjectaccessreviews", namespace.as_str()),
        Review::Token => ("authentication.k8s.io", "tokenreviews", ""),
    };
    let target = Target::Resource { group, resource, subresource: "", namespace, name: "" };
    handlers.authorize_action(&Action { verb: Verb::Create.as_str(), target })
}

fn own_access(handlers: &Handlers, mut asked: SelfSubjectAccessReview) -> SelfSubjectAccessReview {
    let (resource, path) = (&asked.spec.resource_attributes, &asked.spec.non_resource_attributes);
    asked.status = access(handlers, handlers.caller(), resource.as_ref(), path.as_ref());
    asked
}

/// Kubernetes: exactly one of a resource and a path, and somebody.
fn others_access(handlers: &Handlers, spec: &SubjectAccessReviewSpec) -> Result<SubjectAccessReviewStatus, Error> {
    let (resource, path) = (spec.resource_attributes.as_ref(), spec.non_resource_attributes.as_ref());
    if resource.is_some() == path.is_some() {
        return Err(Error::bad_request(
            "spec: exactly one of `resourceAttributes` and `nonResourceAttributes` must be specified",
        ));
    }
    if spec.user.is_empty() && spec.groups.is_empty() {
        return Err(Error::bad_request("spec: at least one of `user` and `groups` must be specified"));
    }
    // The groups are those that were asked for, and no others.
    let caller = Caller::reviewed(&spec.user, &spec.groups);
    Ok(access(handlers, &caller, resource, path))
}

fn local_access(
    handlers: &Handlers,
    mut asked: LocalSubjectAccessReview,
    namespace: &str,
) -> Result<LocalSubjectAccessReview, Error> {
    if asked.spec.non_resource_attributes.is_some() {
        return Err(Error::bad_request("spec.nonResourceAttributes: a local review is about resources"));
    }
    let resource = asked.spec.resource_attributes.as_ref();
    if resource.is_some_and(|resource| resource.namespace != namespace) {
        let detail = format!("spec.resourceAttributes.namespace must match the namespace: {namespace}");
        return Err(Error::bad_request(detail));
    }
    asked.status = others_access(handlers, &asked.spec)?;
    Ok(asked)
}

fn access(
    handlers: &Handlers,
    caller: &Caller,
    resource: Option<&ResourceAttributes>,
    path: Option<&NonResourceAttributes>,
) -> SubjectAccessReviewStatus {
    let (verb, target) = match (resource, path) {
        (Some(resource), _) => (resource.verb.as_str(), of_resource(resource)),
        (None, Some(path)) => (path.verb.as_str(), Target::Path(&path.path)),
        (None, None) => ("", Target::Path("")),
    };
    let review = handlers.review(caller, &Action { verb, target });
    SubjectAccessReviewStatus { allowed: review.allowed, reason: review.reason, ..SubjectAccessReviewStatus::default() }
}

fn of_resource(resource: &ResourceAttributes) -> Target<'_> {
    Target::Resource {
        group: &resource.group,
        resource: &resource.resource,
        subresource: &resource.subresource,
        namespace: &resource.namespace,
        name: &resource.name,
    }
}

fn rules(handlers: &Handlers, mut asked: SelfSubjectRulesReview) -> Result<SelfSubjectRulesReview, Error> {
    if asked.spec.namespace.is_empty() {
        return Err(Error::bad_request("no namespace on request"));
    }
    let (paths, resources): (Vec<_>, Vec<_>) =
        handlers.rules(&asked.spec.namespace).into_iter().partition(|rule| !rule.non_resource_urls.is_empty());
    let resource_rules = resources.into_iter().map(|rule| ResourceRule {
        verbs: rule.verbs,
        api_groups: rule.api_groups,
        resources: rule.resources,
        resource_names: rule.resource_names,
    });
    let non_resource_rules =
        paths.into_iter().map(|rule| NonResourceRule { verbs: rule.verbs, non_resource_urls: rule.non_resource_urls });
    asked.status = SubjectRulesReviewStatus {
        resource_rules: resource_rules.collect(),
        non_resource_rules: non_resource_rules.collect(),
        ..SubjectRulesReviewStatus::default()
    };
    Ok(asked)
}

fn subject(handlers: &Handlers) -> SelfSubjectReview {
    let user_info = user_info(handlers.caller());
    SelfSubjectReview { status: SelfSubjectReviewStatus { user_info }, ..SelfSubjectReview::default() }
}

fn user_info(caller: &Caller) -> UserInfo {
    UserInfo {
        username: caller.user().to_owned(),
        uid: caller.uid().to_owned(),
        groups: caller.groups().to_vec(),
        ..UserInfo::default()
    }
}

/// Says whose token it is. Without audiences it is meant for the apiserver.
async fn token(handlers: &Handlers, spec: &TokenReviewSpec) -> Result<TokenReviewStatus, Error> {
    if spec.token.is_empty() {
        return Err(Error::bad_request("token is required for TokenReview in authentication"));
    }
    let own = [ISSUER];
    let audiences: Vec<&str> = spec.audiences.iter().map(String::as_str).collect();
    let asked: &[&str] = if audiences.is_empty() { &own } else { &audiences };
    Ok(match handlers.registry().caller_of_token(&spec.token, asked).await {
        Ok((caller, claims)) => TokenReviewStatus {
            authenticated: true,
            user: user_info(&caller),
            audiences: claims.aud.into_iter().filter(|audience| asked.contains(&audience.as_str())).collect(),
            error: String::new(),
        },
        Err(Unproven::Refused(reason)) => {
            TokenReviewStatus { error: reason.to_owned(), ..TokenReviewStatus::default() }
        }
        Err(Unproven::Failed(error)) => return Err(error),
    })
}
