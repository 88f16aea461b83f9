//! The paths of the API and their operations.

use crate::kinds::{Kind, KindInfo, Part};

use super::definitions::GroupVersionKind;

/// A path and its operations.
#[derive(Debug)]
pub(super) struct Path {
    pub(super) path: String,
    pub(super) operations: Vec<Operation>,
}

/// An operation on a path.
#[derive(Debug)]
pub(super) struct Operation {
    /// The HTTP method, in lower case: "get".
    pub(super) method: &'static str,
    /// The unique id: `listAppsV1NamespacedDeployment`.
    pub(super) id: String,
    /// Kubernetes' name for the action: "list".
    pub(super) action: &'static str,
    /// The kind of the objects.
    pub(super) kind: GroupVersionKind,
    /// The query parameters, by name and type.
    pub(super) parameters: &'static [(&'static str, &'static str)],
    /// The body of a request.
    pub(super) takes: Content,
    /// The body of an answer.
    pub(super) gives: Content,
}

/// The content of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    /// No body.
    Nothing,
    /// A message of this name.
    Message(String),
    /// An object of a custom kind, whose schema has this name.
    Custom(String),
    /// A patch of any kind.
    Patch,
    /// Text, or whatever a pod answers.
    Text,
}

impl Path {
    /// The names of the parts in braces: "namespace", "name".
    pub(super) fn parameters(&self) -> impl Iterator<Item = &str> {
        self.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
    }
}

impl Operation {
    /// The answers that say that all went well, by code and text.
    pub(super) fn answers(&self) -> &'static [(&'static str, &'static str)] {
        match self.method {
            "post" => &[("200", "OK"), ("201", "Created"), ("202", "Accepted")],
            "put" | "patch" => &[("200", "OK"), ("201", "Created")],
            "delete" => &[("200", "OK"), ("202", "Accepted")],
            _ => &[("200", "OK")],
        }
    }

    /// Whether a request needs its body: a deletion does without options.
    pub(super) fn needs_body(&self) -> bool {
        self.takes != Content::Nothing && self.method != "delete"
    }
}

const WRITE: &[(&str, &str)] =
    &[("pretty", "string"), ("dryRun", "string"), ("fieldManager", "string"), ("fieldValidation", "string")];
const PATCH: &[(&str, &str)] = &[
    ("pretty", "string"),
    ("dryRun", "string"),
    ("fieldManager", "string"),
    ("fieldValidation", "string"),
    ("force", "boolean"),
];
const READ: &[(&str, &str)] = &[("pretty", "string"), ("resourceVersion", "string")];
const LIST: &[(&str, &str)] = &[
    ("pretty", "string"),
    ("allowWatchBookmarks", "boolean"),
    ("continue", "string"),
    ("fieldSelector", "string"),
    ("labelSelector", "string"),
    ("limit", "integer"),
    ("resourceVersion", "string"),
    ("resourceVersionMatch", "string"),
    ("sendInitialEvents", "boolean"),
    ("timeoutSeconds", "integer"),
    ("watch", "boolean"),
];
const DELETE: &[(&str, &str)] =
    &[("pretty", "string"), ("dryRun", "string"), ("gracePeriodSeconds", "integer"), ("propagationPolicy", "string")];

/// Returns the root path of a version of a group: `api/v1`, `apis/apps/v1`.
pub(super) fn root(group: &str, version: &str) -> String {
    if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") }
}

/// Returns every path of a group's kinds.
pub(super) fn paths(group: &str) -> Vec<Path> {
    let described = |kind: &Kind| {
        let info = kind.info();
        let message = |name: String| Content::Message(name);
        paths_of(info, &kind.parts(), &message(info.message.to_owned()), &message(format!("{}List", info.message)))
    };
    Kind::ALL.iter().filter(|kind| kind.info().group == group).flat_map(described).collect()
}

/// Returns every path of a kind whose objects and lists have this content.
pub(super) fn paths_of(info: &'static KindInfo, parts: &[Part], object: &Content, list: &Content) -> Vec<Path> {
    let gvk = GroupVersionKind { group: info.group, version: info.version, kind: info.kind };
    let root = format!("/{}", root(info.group, info.version));
    let scope = if info.is_namespaced() { "Namespaced" } else { "" };
    let group = capitalized(info.group.split('.').next().unwrap_or_default());
    let group = if group.is_empty() { "Core".to_owned() } else { group };
    let operation = move |method, verb: &str, what: &str, action, parameters| {
        let (takes, gives) = contents(action, object, list);
        let id = format!("{verb}{group}{}{scope}{what}", capitalized(info.version));
        Operation { method, id, action, kind: gvk, parameters, takes, gives }
    };
    let place = if info.is_namespaced() { "/namespaces/{namespace}" } else { "" };
    let collection = format!("{root}{place}/{}", info.plural);
    let mut paths = vec![
        Path {
            path: collection.clone(),
            operations: vec![
                operation("get", "list", info.kind, "list", LIST),
                operation("post", "create", info.kind, "post", WRITE),
                operation("delete", "deleteCollection", info.kind, "deletecollection", DELETE),
            ],
        },
        Path {
            path: format!("{collection}/{{name}}"),
            operations: vec![
                operation("get", "read", info.kind, "get", READ),
                operation("put", "replace", info.kind, "put", WRITE),
                operation("patch", "patch", info.kind, "patch", PATCH),
                operation("delete", "delete", info.kind, "delete", DELETE),
            ],
        },
    ];
    if info.is_namespaced() {
        let everywhere = format!("{}ForAllNamespaces", info.kind);
        paths.push(Path {
            path: format!("{root}/{}", info.plural),
            operations: vec![Operation {
                id: format!("list{everywhere}"),
                ..operation("get", "list", &everywhere, "list", LIST)
            }],
        });
    }
    for part in parts {
        let of = |method, verb: &str, action, parameters| {
            let what = format!("{}{}", info.kind, capitalized(part.name));
            let version = if part.group == info.group { info.version } else { "v1" };
            let kind = GroupVersionKind { group: part.group, version, kind: part.kind };
            let (takes, gives) = contents_of_part(part, action, object, list);
            Operation { kind, takes, gives, ..operation(method, verb, &what, action, parameters) }
        };
        let operations = operations_of_part(part, of);
        paths.push(Path { path: format!("{collection}/{{name}}/{}", part.name), operations });
    }
    paths
}

/// Returns what an action on objects takes and gives.
fn contents(action: &str, object: &Content, list: &Content) -> (Content, Content) {
    let is_returned = |object: &Content| {
        let is = |kind: &Kind| matches!(object, Content::Message(name) if kind.info().message == *name);
        Kind::ALL.iter().any(|kind| is(kind) && kind.is_returned_when_deleted())
    };
    let status = || Content::Message("meta.v1.Status".to_owned());
    let options = || Content::Message("meta.v1.DeleteOptions".to_owned());
    match action {
        "list" => (Content::Nothing, list.clone()),
        "post" | "put" => (object.clone(), object.clone()),
        "patch" => (Content::Patch, object.clone()),
        "delete" if is_returned(object) => (options(), object.clone()),
        "delete" => (options(), status()),
        "deletecollection" => (options(), list.clone()),
        _ => (Content::Nothing, object.clone()),
    }
}

fn contents_of_part(part: &Part, action: &str, whole: &Content, list: &Content) -> (Content, Content) {
    let of = |name: &str| contents(action, &Content::Message(name.to_owned()), &Content::Nothing);
    match part.name {
        "log" | "proxy" => (Content::Nothing, Content::Text),
        "token" => of("authentication.v1.TokenRequest"),
        "scale" => of("autoscaling.v1.Scale"),
        // Its answer says that it was done.
        "binding" => (Content::Message("core.v1.Binding".to_owned()), Content::Message("meta.v1.Status".to_owned())),
        "eviction" => {
            (Content::Message("policy.v1.Eviction".to_owned()), Content::Message("meta.v1.Status".to_owned()))
        }
        _ => contents(action, whole, list),
    }
}

type Parameters = &'static [(&'static str, &'static str)];

fn operations_of_part(
    part: &Part,
    of: impl Fn(&'static str, &str, &'static str, Parameters) -> Operation,
) -> Vec<Operation> {
    let verbs = part.verbs.iter().filter_map(|verb| match *verb {
        "get" => Some(of("get", "read", "get", READ)),
        "update" => Some(of("put", "replace", "put", WRITE)),
        "patch" => Some(of("patch", "patch", "patch", PATCH)),
        "create" => Some(of("post", "create", "post", WRITE)),
        "delete" => Some(of("delete", "delete", "delete", DELETE)),
        _ => None,
    });
    verbs.collect()
}

fn capitalized(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_has_an_id_of_its_own() {
        for group in ["", "apps", "policy"] {
            let mut ids: Vec<String> = paths(group).into_iter().flat_map(|p| p.operations).map(|o| o.id).collect();
            let count = ids.len();
            ids.sort();
            ids.dedup();
            assert_eq!(ids.len(), count);
        }
    }

    #[test]
    fn a_part_has_a_path() {
        let found = paths("apps").into_iter().find(|path| path.path.ends_with("deployments/{name}/scale")).unwrap();
        assert_eq!(found.path, "/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale");
        assert_eq!(found.operations[0].kind.kind, "Scale");
    }
}
