//! The reviews that callers request about themselves: may I, what may I, who am I.

use axum::extract::Request;
use axum::response::Response;
use http::{Method, StatusCode};
use squall_api::Error;
use squall_api::authentication::v1::{SelfSubjectReview, SelfSubjectReviewStatus, UserInfo};
use squall_api::authorization::v1::{
    NonResourceRule, ResourceAttributes, ResourceRule, SelfSubjectAccessReview, SelfSubjectRulesReview,
    SubjectAccessReviewStatus, SubjectRulesReviewStatus,
};

use super::accept::{Encoding, Shape};
use super::objects::Head;
use super::path::Review;
use crate::authorization::{Action, ROLES, Target, Verb};
use crate::handlers::Handlers;

/// Serves a review.
pub async fn serve(handlers: Handlers, review: Review, request: Request) -> Result<Response, Error> {
    let (parts, body) = request.into_parts();
    if parts.method != Method::POST {
        return Err(Error::no_such_method());
    }
    if !handlers.caller().is_known() {
        return Err(Error::unauthorized());
    }
    let head = Head::read(handlers.clone(), &parts.uri, parts.headers)?;
    let body = head.body(body).await?;
    if head.writer.format.shape != Shape::Objects {
        // Kubernetes: a review has no rows and no metadata.
        return Err(Error::not_acceptable(&Encoding::ALL.map(Encoding::content_type)));
    }
    match review {
        Review::Access => {
            let asked = body.message("authorization.v1.SelfSubjectAccessReview")?;
            let answer = access(&handlers, asked);
            head.writer.message(&answer, "SelfSubjectAccessReview", "authorization.k8s.io/v1", StatusCode::CREATED)
        }
        Review::Rules => {
            let asked = body.message("authorization.v1.SelfSubjectRulesReview")?;
            let answer = rules(&handlers, asked);
            head.writer.message(&answer, "SelfSubjectRulesReview", "authorization.k8s.io/v1", StatusCode::CREATED)
        }
        Review::Subject => {
            let answer = subject(&handlers);
            head.writer.message(&answer, "SelfSubjectReview", "authentication.k8s.io/v1", StatusCode::CREATED)
        }
    }
}

fn access(handlers: &Handlers, mut asked: SelfSubjectAccessReview) -> SelfSubjectAccessReview {
    let spec = &asked.spec;
    let (verb, target) = match (&spec.resource_attributes, &spec.non_resource_attributes) {
        (Some(resource), _) => (resource.verb.as_str(), of_resource(resource)),
        (None, Some(path)) => (path.verb.as_str(), Target::Path(&path.path)),
        (None, None) => ("", Target::Path("")),
    };
    // "*" asks for every verb.
    let verbs: Vec<Verb> = if verb == "*" { Verb::ALL.to_vec() } else { Verb::parse(verb).into_iter().collect() };
    let reviews: Vec<_> = verbs.into_iter().map(|verb| handlers.review(&Action { verb, target })).collect();
    let allowed = !reviews.is_empty() && reviews.iter().all(|review| review.allowed);
    let reason = reviews.into_iter().next().map(|review| review.reason).filter(|_| allowed);
    asked.status = SubjectAccessReviewStatus {
        allowed,
        reason: reason.unwrap_or_default(),
        ..SubjectAccessReviewStatus::default()
    };
    asked
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

fn rules(handlers: &Handlers, mut asked: SelfSubjectRulesReview) -> SelfSubjectRulesReview {
    let texts = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<String>>();
    let roles = || ROLES.iter().filter(|role| role.has(handlers.caller()));
    let resource_rules = roles().flat_map(|role| role.rules).map(|rule| ResourceRule {
        verbs: rule.verbs.iter().map(|verb| verb.as_str().to_owned()).collect(),
        api_groups: texts(&[rule.group]),
        resources: texts(rule.resources),
        resource_names: Vec::new(),
    });
    let non_resource_rules = roles()
        .filter(|role| !role.paths.is_empty())
        .map(|role| NonResourceRule { verbs: texts(&["get"]), non_resource_urls: texts(role.paths) });
    asked.status = SubjectRulesReviewStatus {
        resource_rules: resource_rules.collect(),
        non_resource_rules: non_resource_rules.collect(),
        ..SubjectRulesReviewStatus::default()
    };
    asked
}

fn subject(handlers: &Handlers) -> SelfSubjectReview {
    let caller = handlers.caller();
    let user_info =
        UserInfo { username: caller.user().to_owned(), groups: caller.groups().to_vec(), ..UserInfo::default() };
    SelfSubjectReview { status: SelfSubjectReviewStatus { user_info }, ..SelfSubjectReview::default() }
}
