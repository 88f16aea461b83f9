//! OpenAPI 3: one document for each group and version.

use serde_json::{Map, Value, json};
use squall_proto::schema::Message;

use super::definitions::{
    GroupVersionKind, Property, Type, kinds_of, merge_rules, name_of, needed, properties, scalar_of,
};
use super::operations::{Content, Operation, Path, paths, root};
use super::{TITLE, VERSION};
use crate::kinds::Kind;
use crate::patch::{APPLY, JSON, MERGE, STRATEGIC};

/// Returns the groups that have a document, each with its path: `apis/apps/v1`.
#[must_use]
pub fn groups() -> Vec<(&'static str, String)> {
    let mut groups: Vec<&str> = Kind::ALL.iter().map(|kind| kind.info().group).collect();
    groups.sort_unstable();
    groups.dedup();
    groups.into_iter().map(|group| (group, root(group, "v1"))).collect()
}

/// Builds the document of a group.
#[must_use]
pub fn document(group: &str) -> Value {
    let schemas = needed(Some(group)).into_iter().map(|message| (name_of(message), schema(message))).collect();
    of(paths(group), schemas)
}

/// Builds a document of these paths and schemas.
pub(super) fn of(paths: Vec<Path>, schemas: Map<String, Value>) -> Value {
    let mut documented = Map::new();
    for path in paths {
        let mut item = path.operations.iter().map(|o| (o.method.to_owned(), operation(o))).collect::<Map<_, _>>();
        item.insert("parameters".to_owned(), path_parameters(&path));
        documented.insert(path.path, Value::Object(item));
    }
    json!({
        "openapi": "3.0.0",
        "info": {"title": TITLE, "version": VERSION},
        "paths": documented,
        "components": {"schemas": schemas},
    })
}

fn gvk(kind: &GroupVersionKind) -> Value {
    json!({"group": kind.group, "version": kind.version, "kind": kind.kind})
}

fn operation(operation: &Operation) -> Value {
    let parameters: Vec<Value> = operation
        .parameters
        .iter()
        .map(|(name, kind)| json!({"name": name, "in": "query", "schema": {"type": kind, "uniqueItems": true}}))
        .collect();
    let mut described = json!({
        "operationId": operation.id,
        "parameters": parameters,
        "responses": responses(operation),
        "x-kubernetes-action": operation.action,
        "x-kubernetes-group-version-kind": gvk(&operation.kind),
    });
    if let Some(content) = content(&operation.takes) {
        described["requestBody"] = json!({"content": content, "required": operation.needs_body()});
    }
    described
}

fn path_parameters(path: &Path) -> Value {
    let parameter = |name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}});
    path.parameters().map(parameter).collect()
}

/// Kubernetes: every operation may be refused for want of a certificate; others say with a `Status` why they fail.
fn responses(operation: &Operation) -> Value {
    let mut responses = Map::new();
    for (code, text) in operation.answers() {
        let mut response = json!({"description": text});
        if let Some(content) = content(&operation.gives) {
            response["content"] = content;
        }
        responses.insert((*code).to_owned(), response);
    }
    let refused = content(&Content::Message("meta.v1.Status".to_owned()));
    responses.insert("401".to_owned(), json!({"description": "Unauthorized"}));
    responses.insert("default".to_owned(), json!({"description": "Failure", "content": refused}));
    Value::Object(responses)
}

/// Describes a body in each of its media types.
fn content(content: &Content) -> Option<Value> {
    let (types, schema): (&[&str], Value) = match content {
        Content::Nothing => return None,
        Content::Message(name) => {
            let name = Message::find(name).map(name_of)?;
            (&OBJECTS, json!({"$ref": format!("#/components/schemas/{name}")}))
        }
        Content::Custom(name) => (&TEXTS, json!({"$ref": format!("#/components/schemas/{name}")})),
        Content::Patch => (&PATCHES, json!({"description": "A patch.", "type": "object"})),
        Content::Text => (&["*/*"], json!({"type": "string"})),
    };
    Some(types.iter().map(|media_type| ((*media_type).to_owned(), json!({"schema": schema}))).collect())
}

/// The media types of objects.
const OBJECTS: [&str; 3] = ["application/json", "application/yaml", "application/vnd.kubernetes.protobuf"];
/// The media types of objects without a protobuf form.
const TEXTS: [&str; 2] = ["application/json", "application/yaml"];
/// The media types of patches.
const PATCHES: [&str; 4] = [JSON, MERGE, STRATEGIC, APPLY];

pub(super) fn schema(message: &'static Message) -> Value {
    let mut schema = Map::new();
    if !message.doc.is_empty() {
        schema.insert("description".to_owned(), message.doc.into());
    }
    if let Some((kind, format)) = scalar_of(message) {
        if message.name == "intstr.IntOrString" {
            schema.insert("oneOf".to_owned(), json!([{"type": "integer"}, {"type": "string"}]));
        } else {
            schema.insert("type".to_owned(), kind.into());
        }
        if !format.is_empty() {
            schema.insert("format".to_owned(), format.into());
        }
        return Value::Object(schema);
    }
    schema.insert("type".to_owned(), "object".into());
    let properties = properties(message);
    let required: Vec<&str> = properties.iter().filter(|p| p.field.required).map(|p| p.name).collect();
    let mut described: Map<String, Value> = properties.iter().map(|p| (p.name.to_owned(), property(p))).collect();
    if let Some(kind) = kinds_of(message) {
        described.insert("apiVersion".to_owned(), json!({"type": "string", "description": API_VERSION}));
        described.insert("kind".to_owned(), json!({"type": "string", "description": KIND}));
        schema.insert("x-kubernetes-group-version-kind".to_owned(), json!([gvk(&kind)]));
    }
    if !required.is_empty() {
        schema.insert("required".to_owned(), required.into());
    }
    if message.atomic {
        schema.insert("x-kubernetes-map-type".to_owned(), "atomic".into());
    }
    schema.insert("properties".to_owned(), Value::Object(described));
    Value::Object(schema)
}

pub(super) const API_VERSION: &str =
    "APIVersion defines the versioned schema of the object: \"apps/v1\", or \"v1\" for the core group.";
pub(super) const KIND: &str = "The kind of the object, such as \"Deployment\".";

fn property(property: &Property) -> Value {
    let mut value = match typed(&property.value) {
        Value::Object(value) => value,
        _ => Map::new(),
    };
    // Readers ignore keys beside a reference, so the reference goes into an `allOf`.
    if value.contains_key("$ref") {
        value = Map::from_iter([("allOf".to_owned(), json!([value]))]);
    }
    if !property.field.doc.is_empty() {
        value.insert("description".to_owned(), property.field.doc.into());
    }
    value.extend(merge_rules(property.field).into_iter().map(|(key, rule)| (key.to_owned(), rule)));
    Value::Object(value)
}

fn typed(value: &Type) -> Value {
    match value {
        Type::Scalar(kind, "") => json!({"type": kind}),
        Type::Scalar(kind, format) => json!({"type": kind, "format": format}),
        Type::Reference(name) => json!({"$ref": format!("#/components/schemas/{name}")}),
        Type::List(item) => json!({"type": "array", "items": typed(item)}),
        Type::Map(item) => json!({"type": "object", "additionalProperties": typed(item)}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_leads_somewhere() {
        for (group, path) in groups() {
            let document = document(group);
            let schemas = &document["components"]["schemas"];
            let text = document.to_string();
            let references = text.split("#/components/schemas/").skip(1).filter_map(|rest| rest.split('"').next());
            let mut count = 0;
            for reference in references {
                assert!(schemas.get(reference).is_some(), "{path}: {reference}");
                count += 1;
            }
            assert!(count > 10, "{path} has only {count} references");
            for operation in paths(group).iter().flat_map(|path| &path.operations) {
                let described = |body: &Content| *body == Content::Nothing || content(body).is_some();
                assert!(described(&operation.takes) && described(&operation.gives), "{}", operation.id);
            }
        }
    }

    #[test]
    fn a_deployment_is_described() {
        let document = document("apps");
        let spec = &document["components"]["schemas"]["io.k8s.api.apps.v1.DeploymentSpec"];
        assert_eq!(spec["required"], json!(["selector", "template"]));
        assert_eq!(spec["properties"]["replicas"]["format"], "int32");
        assert_eq!(spec["properties"]["strategy"]["x-kubernetes-patch-strategy"], "retainKeys");
        let container = &document["components"]["schemas"]["io.k8s.api.core.v1.Container"]["properties"];
        assert_eq!(container["ports"]["x-kubernetes-list-map-keys"], json!(["containerPort", "protocol"]));
        assert_eq!(container["ports"]["x-kubernetes-patch-merge-key"], "containerPort");
        let path = &document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"];
        let names: Vec<&Value> = path["parameters"].as_array().unwrap().iter().map(|p| &p["name"]).collect();
        assert_eq!(names, ["namespace", "name"]);
        let reference = |content: &Value| content["content"]["application/json"]["schema"]["$ref"].clone();
        let deployment = "#/components/schemas/io.k8s.api.apps.v1.Deployment";
        assert_eq!(reference(&path["get"]["responses"]["200"]), deployment);
        assert_eq!(reference(&path["put"]["requestBody"]), deployment);
        let all = &document["paths"]["/apis/apps/v1/deployments"]["get"]["responses"]["200"];
        assert_eq!(reference(all), format!("{deployment}List"));
        let patch = &path["patch"];
        assert_eq!(patch["x-kubernetes-group-version-kind"]["kind"], "Deployment");
        assert!(patch["parameters"].as_array().unwrap().iter().any(|p| p["name"] == "dryRun"));
    }
}
