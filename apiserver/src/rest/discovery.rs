//! Discovery of groups, versions and resources: as lists, and in the aggregated form that clients request first.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Value, json};
use squall_api::kinds::{Definition, Part, Version, version_rank};
use squall_api::{Error, Kind, KindInfo};

use super::Rest;
use super::accept::{Encoding, ranges};
use super::encode::Writer;
use super::failure::{Failure, layout};
use super::objects::Head;

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

/// The kinds that clients can use at one moment: the built-in ones and those that users have defined.
struct Catalog {
    definitions: Vec<Arc<Definition>>,
}

/// A kind in the catalog, in one version.
struct Listed {
    info: &'static KindInfo,
    singular: String,
    short_names: Vec<String>,
    categories: Vec<String>,
    parts: Vec<Part>,
}

impl Listed {
    fn of_built_in(kind: Kind) -> Self {
        let info = kind.info();
        let mut categories: Vec<String> = info.in_all.then(|| "all".to_owned()).into_iter().collect();
        if kind == Kind::CustomResourceDefinition {
            categories.push("api-extensions".to_owned());
        }
        Self {
            info,
            singular: info.singular.to_owned(),
            short_names: info.short_names.iter().map(|name| (*name).to_owned()).collect(),
            categories,
            parts: kind.parts(),
        }
    }

    fn of_version(definition: &Definition, version: &Version) -> Self {
        let names = definition.names();
        Self {
            info: version.kind().info(),
            singular: names.singular.clone(),
            short_names: names.short_names.clone(),
            categories: names.categories.clone(),
            parts: version.parts(),
        }
    }

    /// Adds the names that a user may type.
    fn name(&self, entry: &mut Value) {
        if !self.short_names.is_empty() {
            entry["shortNames"] = json!(self.short_names);
        }
        if !self.categories.is_empty() {
            entry["categories"] = json!(self.categories);
        }
    }
}

impl Catalog {
    /// Returns the groups other than the core group, sorted.
    fn groups(&self) -> Vec<&str> {
        let built_in = Kind::ALL.iter().map(|kind| kind.info().group).chain(QUESTIONS.iter().map(|q| q.group));
        let custom = self.definitions.iter().filter(|d| d.served().next().is_some()).map(|d| d.group());
        let groups: BTreeSet<&str> = built_in.chain(custom).filter(|group| !group.is_empty()).collect();
        groups.into_iter().collect()
    }

    /// Returns the versions of a group, the best first.
    fn versions(&self, group: &str) -> Vec<String> {
        let in_group = self.definitions.iter().filter(|definition| definition.group() == group);
        let mut versions: Vec<String> =
            in_group.flat_map(|definition| definition.served()).map(|v| v.kind().info().version.to_owned()).collect();
        let built_in = Kind::ALL.iter().any(|kind| kind.info().group == group);
        if built_in || questions_of(group, "v1").next().is_some() {
            versions.push("v1".to_owned());
        }
        versions.sort_by(|one, other| version_rank(other).cmp(&version_rank(one)));
        versions.dedup();
        versions
    }

    /// Returns the kinds of a version of a group, sorted by name, because clients show them in the order of the
    /// response.
    fn kinds(&self, group: &str, version: &str) -> Vec<Listed> {
        let is_here = |info: &KindInfo| info.group == group && info.version == version;
        let built_in = Kind::ALL.iter().filter(|kind| is_here(kind.info())).map(|kind| Listed::of_built_in(*kind));
        let custom = self.definitions.iter().flat_map(|definition| {
            let served = definition.served().filter(|version| is_here(version.kind().info()));
            served.map(move |version| Listed::of_version(definition, version))
        });
        let mut kinds: Vec<Listed> = built_in.chain(custom).collect();
        kinds.sort_by_key(|listed| listed.info.plural);
        kinds
    }

    fn group_object(&self, group: &str) -> Value {
        let version = |version: &String| json!({"groupVersion": format!("{group}/{version}"), "version": version});
        let versions: Vec<Value> = self.versions(group).iter().map(version).collect();
        json!({"name": group, "preferredVersion": versions.first(), "versions": versions})
    }

    /// Returns the entries of a resource list.
    fn resources(&self, group: &str, version: &str) -> Vec<Value> {
        let mut resources = Vec::new();
        for listed in self.kinds(group, version) {
            let info = listed.info;
            let mut entry = json!({
                "name": info.plural, "singularName": listed.singular, "namespaced": info.is_namespaced(),
                "kind": info.kind, "verbs": VERBS,
            });
            listed.name(&mut entry);
            resources.push(entry);
            for part in &listed.parts {
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
        resources.extend(questions_of(group, version).map(|question| {
            json!({"name": question.plural, "singularName": question.kind.to_lowercase(),
                "namespaced": question.is_namespaced,
                "kind": question.kind, "verbs": ["create"]})
        }));
        resources.sort_by(|one, other| one["name"].as_str().cmp(&other["name"].as_str()));
        resources
    }

    fn aggregated_group(&self, group: &str) -> Value {
        let versions = self.versions(group);
        let versions: Vec<Value> = versions.iter().map(|version| self.aggregated_version(group, version)).collect();
        json!({"metadata": {"name": group, "creationTimestamp": null}, "versions": versions})
    }

    fn aggregated_version(&self, group: &str, version: &str) -> Value {
        let response =
            |group: &str, version: &str, kind: &str| json!({"group": group, "version": version, "kind": kind});
        let resource = |listed: Listed| {
            let info = listed.info;
            let part = |part: &Part| {
                let version = if part.group == info.group { version } else { "v1" };
                let response = response(part.group, version, part.kind);
                json!({"subresource": part.name, "responseKind": response, "verbs": part.verbs})
            };
            let mut entry = json!({
                "resource": info.plural,
                "responseKind": response(info.group, version, info.kind),
                "scope": if info.is_namespaced() { "Namespaced" } else { "Cluster" },
                "singularResource": listed.singular,
                "verbs": VERBS,
                "subresources": listed.parts.iter().map(part).collect::<Vec<_>>(),
            });
            listed.name(&mut entry);
            entry
        };
        let mut resources: Vec<Value> = self.kinds(group, version).into_iter().map(resource).collect();
        resources.extend(questions_of(group, version).map(|question| {
            json!({"resource": question.plural, "responseKind": response(group, version, question.kind),
                "scope": if question.is_namespaced { "Namespaced" } else { "Cluster" },
                "singularResource": question.kind.to_lowercase(), "verbs": ["create"]})
        }));
        json!({"version": version, "resources": resources, "freshness": "Current"})
    }
}

fn questions_of(group: &str, version: &str) -> impl Iterator<Item = &'static Question> {
    let (group, is_there) = (group.to_owned(), version == "v1");
    QUESTIONS.iter().filter(move |question| is_there && question.group == group)
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
    fn catalog(&self) -> Catalog {
        Catalog { definitions: self.registry.definitions() }
    }

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
        let catalog = self.catalog();
        let items: Vec<Value> = groups.iter().map(|group| catalog.aggregated_group(group)).collect();
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
    let catalog = rest.catalog();
    for group in catalog.groups() {
        paths.push(format!("/apis/{group}"));
        paths.extend(catalog.versions(group).iter().map(|version| format!("/apis/{group}/{version}")));
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
    let catalog = rest.catalog();
    let names = catalog.groups();
    let objects: Vec<Value> = names.iter().map(|group| catalog.group_object(group)).collect();
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
    let catalog = rest.catalog();
    let known = catalog.groups().contains(&group.as_str());
    let mut object = catalog.group_object(&group);
    object["kind"] = json!("APIGroup");
    object["apiVersion"] = json!("v1");
    if known { Ok(writer.value(&object, StatusCode::OK)?) } else { Err(nowhere(&request)) }
}

/// `/api/v1`.
pub(super) async fn core_resources(State(rest): State<Rest>, request: Request) -> Result<Response, Failure> {
    resource_list(&rest, "", "v1", &request)
}

/// `/apis/GROUP/VERSION`.
pub(super) async fn group_resources(
    State(rest): State<Rest>,
    Path((group, version)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Failure> {
    let known = !group.is_empty() && rest.catalog().versions(&group).contains(&version);
    if known { resource_list(&rest, &group, &version, &request) } else { Err(nowhere(&request)) }
}

fn resource_list(rest: &Rest, group: &str, version: &str, request: &Request) -> Result<Response, Failure> {
    let group_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    let list = json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version,
        "resources": rest.catalog().resources(group, version)});
    Ok(rest.writer(request)?.value(&list, StatusCode::OK)?)
}

fn nowhere(request: &Request) -> Failure {
    Failure { error: Error::no_such_path(), layout: layout(request.uri(), request.headers()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built_in() -> Catalog {
        Catalog { definitions: Vec::new() }
    }

    #[test]
    fn a_group_has_the_versions_of_its_kinds() {
        assert_eq!(built_in().versions("apps"), ["v1"]);
        assert!(built_in().versions("example.com").is_empty());
    }

    #[test]
    fn resources_are_listed_with_their_parts() {
        let names: Vec<String> = built_in()
            .resources("apps", "v1")
            .iter()
            .map(|r| r["name"].as_str().unwrap_or_default().to_owned())
            .collect();
        let expected = [
            "deployments",
            "deployments/scale",
            "deployments/status",
            "replicasets",
            "replicasets/scale",
            "replicasets/status",
        ];
        assert_eq!(names, expected);
        let eviction = built_in().resources("", "v1").into_iter().find(|r| r["name"] == "pods/eviction").unwrap();
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
