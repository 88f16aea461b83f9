//! Discovery of groups, versions and resources: as lists, and in the aggregated form that clients request first.

use axum::extract::{Path, Request, State};
use axum::response::Response;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Value, json};
use squall_api::kinds::Part;
use squall_api::{Error, Kind};

use super::Rest;
use super::accept::{Encoding, ranges};
use super::encode::Writer;
use super::failure::{Failure, layout};
use super::objects::Head;
use crate::authorization::{Action, Target, Verb};
use crate::handlers::Handlers;

/// Verbs that every kind supports.
const VERBS: [&str; 8] = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

/// A review: clients can create it, but it is never stored.
struct Question {
    group: &'static str,
    plural: &'static str,
    kind: &'static str,
    is_namespaced: bool,
}

const fn question(group: &'static str, plural: &'static str, kind: &'static str) -> Question {
    Question { group, plural, kind, is_namespaced: false }
}

const QUESTIONS: [Question; 6] = [
    question("authentication.k8s.io", "selfsubjectreviews", "SelfSubjectReview"),
    question("authentication.k8s.io", "tokenreviews", "TokenReview"),
    Question {
        is_namespaced: true,
        ..question("authorization.k8s.io", "localsubjectaccessreviews", "LocalSubjectAccessReview")
    },
    question("authorization.k8s.io", "selfsubjectaccessreviews", "SelfSubjectAccessReview"),
    question("authorization.k8s.io", "selfsubjectrulesreviews", "SelfSubjectRulesReview"),
    question("authorization.k8s.io", "subjectaccessreviews", "SubjectAccessReview"),
];

/// Returns the groups other than the core group, sorted.
fn group_names() -> Vec<&'static str> {
    let kinds = Kind::ALL.iter().map(|kind| kind.info().group);
    let mut groups: Vec<&str> = kinds.chain(QUESTIONS.iter().map(|q| q.group)).filter(|g| !g.is_empty()).collect();
    groups.sort_unstable();
    groups.dedup();
    groups
}

/// Returns the kinds of a group, sorted by name, because clients show them in the order of the response.
fn kinds_of(group: &str) -> Vec<Kind> {
    let mut kinds: Vec<Kind> = Kind::ALL.iter().copied().filter(|kind| kind.info().group == group).collect();
    kinds.sort_by_key(|kind| kind.info().plural);
    kinds
}

fn questions_of(group: &str) -> impl Iterator<Item = &'static Question> + '_ {
    QUESTIONS.iter().filter(move |question| question.group == group)
}

fn group_version(group: &str) -> String {
    if group.is_empty() { "v1".to_owned() } else { format!("{group}/v1") }
}

fn group_object(group: &str) -> Value {
    let version = json!({"groupVersion": group_version(group), "version": "v1"});
    json!({"name": group, "versions": [&version], "preferredVersion": &version})
}

/// Returns the entries of a group's resource list.
fn resources(group: &str) -> Vec<Value> {
    let mut resources = Vec::new();
    for kind in kinds_of(group) {
        let info = kind.info();
        let mut entry = json!({
            "name": info.plural, "singularName": info.singular, "namespaced": info.is_namespaced(),
            "kind": info.kind, "verbs": VERBS,
        });
        if !info.short_names.is_empty() {
            entry["shortNames"] = json!(info.short_names);
        }
        if info.in_all {
            entry["categories"] = json!(["all"]);
        }
        resources.push(entry);
        for part in kind.parts() {
            let mut entry = json!({
                "name": format!("{}/{}", info.plural, part.name), "singularName": "",
                "namespaced": info.is_namespaced(), "kind": part.kind, "verbs": part.verbs,
            });
            if part.group != info.group {
                entry["group"] = json!(part.group);
                entry["version"] = json!("v1");
            }
            resources.push(entry);
        }
    }
    resources.extend(questions_of(group).map(|question| {
        json!({"name": question.plural, "singularName": question.kind.to_lowercase(),
            "namespaced": question.is_namespaced,
            "kind": question.kind, "verbs": ["create"]})
    }));
    resources.sort_by(|one, other| one["name"].as_str().cmp(&other["name"].as_str()));
    resources
}

fn aggregated_group(group: &str) -> Value {
    let response = |group: &str, kind: &str| json!({"group": group, "version": "v1", "kind": kind});
    let mut resources: Vec<Value> = kinds_of(group)
        .into_iter()
        .map(|kind| {
            let info = kind.info();
            let parts = kind.parts();
            let part = |part: &Part| {
                json!({"subresource": part.name, "responseKind": response(part.group, part.kind), "verbs": part.verbs})
            };
            let mut entry = json!({
                "resource": info.plural,
                "responseKind": response(info.group, info.kind),
                "scope": if info.is_namespaced() { "Namespaced" } else { "Cluster" },
                "singularResource": info.singular,
                "verbs": VERBS,
                "subresources": parts.iter().map(part).collect::<Vec<_>>(),
            });
            if !info.short_names.is_empty() {
                entry["shortNames"] = json!(info.short_names);
            }
            if info.in_all {
                entry["categories"] = json!(["all"]);
            }
            entry
        })
        .collect();
    resources.extend(questions_of(group).map(|question| {
        json!({"resource": question.plural, "responseKind": response(group, question.kind),
            "scope": if question.is_namespaced { "Namespaced" } else { "Cluster" },
            "singularResource": question.kind.to_lowercase(), "verbs": ["create"]})
    }));
    let version = json!({"version": "v1", "resources": resources, "freshness": "Current"});
    json!({"metadata": {"name": group, "creationTimestamp": null}, "versions": [version]})
}

/// Returns the version of the aggregated form, if the client prefers that to the lists.
fn aggregated_version(headers: &HeaderMap) -> Option<&'static str> {
    let first = ranges(headers).into_iter().find(|range| Encoding::parse(range.media_type) == Some(Encoding::Json))?;
    if first.parameter("as") != "APIGroupDiscoveryList" || first.parameter("g") != "apidiscovery.k8s.io" {
        return None;
    }
    match first.parameter("v") {
        "v2" => Some("v2"),
        "v2beta1" => Some("v2beta1"),
        _ => None,
    }
}

impl Rest {
    fn writer(&self, request: &Request) -> Result<Writer, Failure> {
        self.writer_for(request, request.headers().clone())
    }

    /// Creates the writer of a response to these headers.
    fn writer_for(&self, request: &Request, headers: HeaderMap) -> Result<Writer, Failure> {
        self.permit(request)?;
        let layout = layout(request.uri(), request.headers());
        let handlers = self.handlers(request.extensions(), request.headers());
        let head = handlers.and_then(|handlers| Head::read(handlers, request.uri(), headers));
        head.map(|head| head.writer).map_err(|error| Failure { error, layout })
    }

    fn discovery(&self, request: &Request, groups: &[&str], list: &Value) -> Result<Response, Failure> {
        let Some(version) = aggregated_version(request.headers()) else {
            return Ok(self.writer(request)?.value(list, StatusCode::OK)?);
        };
        let items: Vec<Value> = groups.iter().map(|group| aggregated_group(group)).collect();
        let list = json!({"kind": "APIGroupDiscoveryList", "apiVersion": format!("apidiscovery.k8s.io/{version}"),
            "metadata": {}, "items": items});
        // A client may accept this form and no other, which is JSON of no other request.
        let mut headers = request.headers().clone();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let mut response = self.writer_for(request, headers)?.value(&list, StatusCode::OK)?;
        let content_type = format!("application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList");
        if let Ok(value) = HeaderValue::from_str(&content_type) {
            response.headers_mut().insert(CONTENT_TYPE, value);
        }
        Ok(response)
    }
}

/// `/`: the paths that there are.
pub(super) async fn paths(State(rest): State<Rest>, request: Request) -> Result<Response, Failure> {
    let mut paths: Vec<String> = [
        "/api",
        "/api/v1",
        "/apis",
        "/healthz",
        "/livez",
        "/metrics",
        "/openapi/v2",
        "/openapi/v3",
        "/readyz",
        "/version",
    ]
    .map(str::to_owned)
    .into();
    for group in group_names() {
        paths.push(format!("/apis/{group}"));
        paths.push(format!("/apis/{}", group_version(group)));
    }
    paths.sort_unstable();
    Ok(rest.writer(&request)?.value(&json!({"paths": paths}), StatusCode::OK)?)
}

/// `/api`.
pub(super) async fn core(State(rest): State<Rest>, request: Request) -> Result<Response, Failure> {
    let list = json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []});
    rest.discovery(&request, &[""], &list)
}

/// `/apis`.
pub(super) async fn groups(State(rest): State<Rest>, request: Request) -> Result<Response, Failure> {
    let names = group_names();
    let objects: Vec<Value> = names.iter().map(|group| group_object(group)).collect();
    let list = json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": objects});
    rest.discovery(&request, &names, &list)
}

/// `/apis/GROUP`.
pub(super) async fn group(
    State(rest): State<Rest>,
    Path(group): Path<String>,
    request: Request,
) -> Result<Response, Failure> {
    let writer = rest.writer(&request)?;
    let known = group_names().contains(&group.as_str());
    let mut object = group_object(&group);
    object["kind"] = json!("APIGroup");
    object["apiVersion"] = json!("v1");
    if known { Ok(writer.value(&object, StatusCode::OK)?) } else { Err(nowhere(&request)) }
}

/// `/api/v1`.
pub(super) async fn core_resources(State(rest): State<Rest>, request: Request) -> Result<Response, Failure> {
    resource_list(&rest, "", &request)
}

/// `/apis/GROUP/VERSION`.
pub(super) async fn group_resources(
    State(rest): State<Rest>,
    Path((group, version)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Failure> {
    let known = version == "v1" && group_names().contains(&group.as_str());
    if known { resource_list(&rest, &group, &request) } else { Err(nowhere(&request)) }
}

fn resource_list(rest: &Rest, group: &str, request: &Request) -> Result<Response, Failure> {
    let list = json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version(group),
        "resources": resources(group)});
    Ok(rest.writer(request)?.value(&list, StatusCode::OK)?)
}

/// Lists custom resource definitions: there are none. kubectl asks for them before it reports an unknown kind.
pub(super) fn custom_resources(handlers: Handlers, request: &Request) -> Result<Response, Error> {
    let (group, resource) = ("apiextensions.k8s.io", "customresourcedefinitions");
    let target = Target::Resource { group, resource, subresource: "", namespace: "", name: "" };
    handlers.authorize_action(&Action { verb: Verb::List.as_str(), target })?;
    let list = json!({"kind": "CustomResourceDefinitionList", "apiVersion": format!("{group}/v1"),
        "metadata": {"resourceVersion": "1"}, "items": []});
    Head::read(handlers, request.uri(), request.headers().clone())?.writer.value(&list, StatusCode::OK)
}

fn nowhere(request: &Request) -> Failure {
    Failure { error: Error::no_such_path(), layout: layout(request.uri(), request.headers()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_are_listed_with_their_parts() {
        let names: Vec<String> =
            resources("apps").iter().map(|r| r["name"].as_str().unwrap_or_default().to_owned()).collect();
        let expected = [
            "deployments",
            "deployments/scale",
            "deployments/status",
            "replicasets",
            "replicasets/scale",
            "replicasets/status",
        ];
        assert_eq!(names, expected);
        let eviction = resources("").into_iter().find(|r| r["name"] == "pods/eviction").unwrap();
        assert_eq!((&eviction["group"], &eviction["kind"]), (&json!("policy"), &json!("Eviction")));
    }

    #[test]
    fn the_aggregated_form_is_given_when_it_is_asked_for_first() {
        let mut headers = HeaderMap::new();
        let accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";
        headers.insert(ACCEPT, accept.parse().unwrap());
        assert_eq!(aggregated_version(&headers), Some("v2"));
        headers.insert(ACCEPT, "application/json".parse().unwrap());
        assert_eq!(aggregated_version(&headers), None);
    }
}
