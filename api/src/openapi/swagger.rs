//! The version 2 document as JSON, from those of version 3.

use serde_json::{Map, Value, json};

use super::{TITLE, VERSION};

/// Builds the version 2 document from version 3 documents of all groups.
#[must_use]
pub fn document<'a>(documents: impl Iterator<Item = &'a Value>) -> Value {
    let (mut paths, mut definitions) = (Map::new(), Map::new());
    for document in documents {
        for (path, item) in document["paths"].as_object().into_iter().flatten() {
            paths.insert(path.clone(), path_item(item));
        }
        for (name, schema) in document["components"]["schemas"].as_object().into_iter().flatten() {
            definitions.insert(name.clone(), definition(schema));
        }
    }
    json!({"swagger": "2.0", "info": {"title": TITLE, "version": VERSION}, "paths": paths, "definitions": definitions})
}

/// Kubernetes: a reader of version 2 takes a definition with any properties for one without others.
fn definition(schema: &Value) -> Value {
    if schema[PRESERVES] == true {
        let kind = "x-kubernetes-group-version-kind";
        return json!({"type": "object", kind: schema[kind]});
    }
    referenced(schema)
}

const PRESERVES: &str = "x-kubernetes-preserve-unknown-fields";

/// Kubernetes: version 2 has no alternatives and no null, and its readers understand no value of any type beside its
/// fields.
fn simplify(schema: &mut Map<String, Value>) {
    let alternatives = ["anyOf", "oneOf", "not"];
    let had_alternatives = alternatives.iter().filter(|name| schema.remove(**name).is_some()).count() > 0;
    if had_alternatives && schema.get("format").is_some_and(|format| format == "int-or-string") {
        schema.insert("type".to_owned(), "string".into());
    }
    let is_anything = schema.get(PRESERVES) == Some(&Value::Bool(true));
    if schema.remove("nullable") == Some(Value::Bool(true)) || is_anything {
        ["type", "items", "properties"].iter().for_each(|name| drop(schema.remove(*name)));
    }
}

/// A reference leads to another place in version 2, and may have neighbours there.
fn referenced(schema: &Value) -> Value {
    let Value::Object(fields) = schema else { return schema.clone() };
    let mut all: Map<String, Value> = fields.iter().map(|(name, value)| (name.clone(), below(name, value))).collect();
    simplify(&mut all);
    if let Some(reference) = all.get("$ref").and_then(Value::as_str) {
        let name = reference.trim_start_matches("#/components/schemas/").to_owned();
        all.insert("$ref".to_owned(), format!("#/definitions/{name}").into());
    }
    let alone = all.get("allOf").and_then(Value::as_array).filter(|list| list.len() == 1);
    if let Some(reference) = alone.and_then(|list| list[0].get("$ref")).cloned() {
        all.remove("allOf");
        all.insert("$ref".to_owned(), reference);
    }
    Value::Object(all)
}

/// The schemas within a part of a schema. A field of an object may have the name of a part.
fn below(name: &str, value: &Value) -> Value {
    match (name, value) {
        ("properties", Value::Object(fields)) => {
            fields.iter().map(|(name, field)| (name.clone(), referenced(field))).collect::<Map<_, _>>().into()
        }
        ("items" | "additionalProperties", schema) => referenced(schema),
        ("allOf", Value::Array(schemas)) => schemas.iter().map(referenced).collect(),
        (_, other) => other.clone(),
    }
}

fn path_item(item: &Value) -> Value {
    let mut fields = Map::new();
    for (name, value) in item.as_object().into_iter().flatten() {
        let new = if name == "parameters" { parameters(value).into() } else { operation(value) };
        fields.insert(name.clone(), new);
    }
    Value::Object(fields)
}

/// The schema of a parameter is a part of it in version 2.
fn parameters(list: &Value) -> Vec<Value> {
    let flat = |parameter: &Value| {
        let mut fields = parameter.as_object().cloned().unwrap_or_default();
        if let Some(Value::Object(schema)) = fields.remove("schema") {
            fields.extend(schema);
        }
        Value::Object(fields)
    };
    list.as_array().into_iter().flatten().map(flat).collect()
}

fn operation(operation: &Value) -> Value {
    let mut fields = operation.as_object().cloned().unwrap_or_default();
    let mut given = parameters(&operation["parameters"]);
    if let Some(body) = fields.remove("requestBody") {
        fields.insert("consumes".to_owned(), media_types(&body["content"]));
        let required = body["required"].as_bool().unwrap_or(false);
        given.push(json!({"name": "body", "in": "body", "required": required, "schema": schema_of(&body["content"])}));
    }
    fields.insert("parameters".to_owned(), given.into());
    let answers = operation["responses"].as_object();
    if let Some(content) = answers.and_then(|answers| answers.get("200")).map(|answer| &answer["content"]) {
        fields.insert("produces".to_owned(), media_types(content));
    }
    let response = |answer: &Value| {
        let mut new = json!({"description": answer["description"]});
        if answer["content"].is_object() {
            new["schema"] = schema_of(&answer["content"]);
        }
        new
    };
    let responses: Map<String, Value> =
        answers.into_iter().flatten().map(|(code, answer)| (code.clone(), response(answer))).collect();
    fields.insert("responses".to_owned(), responses.into());
    Value::Object(fields)
}

fn media_types(content: &Value) -> Value {
    content.as_object().into_iter().flat_map(Map::keys).cloned().collect::<Vec<String>>().into()
}

/// The schema of a body, which is the same in each of its media types.
fn schema_of(content: &Value) -> Value {
    let first = content.as_object().and_then(|types| types.values().next());
    first.map_or(Value::Null, |body| referenced(&body["schema"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_of_version_3_becomes_one_of_version_2() {
        let document = document([super::super::v3("apps")].iter());
        let deployment = &document["definitions"]["io.k8s.api.apps.v1.Deployment"];
        assert_eq!(deployment["properties"]["spec"]["$ref"], "#/definitions/io.k8s.api.apps.v1.DeploymentSpec");
        let create = &document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments"]["post"];
        let body = create["parameters"].as_array().unwrap().last().unwrap();
        assert_eq!(body["schema"]["$ref"], "#/definitions/io.k8s.api.apps.v1.Deployment");
        assert_eq!(create["responses"]["201"]["schema"]["$ref"], "#/definitions/io.k8s.api.apps.v1.Deployment");
        assert!(!document.to_string().contains("#/components/"));
    }

    #[test]
    fn a_field_may_have_the_name_of_a_part() {
        let schema = json!({"type": "object", "properties": {"not": {"type": "string"}, "nullable": {"type": "string",
            "nullable": true}, "any": {"anyOf": [{"type": "string"}]}}});
        let expected = json!({"type": "object", "properties": {"not": {"type": "string"}, "nullable": {}, "any": {}}});
        assert_eq!(definition(&schema), expected);
        assert_eq!(definition(&json!({"type": "object", PRESERVES: true}))["type"], "object");
    }
}
