//! OpenAPI 2: one document for the whole API, as a protobuf message, which is the form that kubectl reads.

use serde_json::{Value, json};
use squall_proto::openapi::v2::{
    AdditionalPropertiesItem, Any, BodyParameter, Definitions, Document, Info, ItemsItem, NamedAny, NamedPathItem,
    NamedResponseValue, NamedSchema, NonBodyParameter, Operation, Parameter, ParametersItem, PathItem, PathParameter,
    Paths, Properties, QueryParameter, Response, ResponseValue, Responses, Schema, SchemaItem, TypeItem,
};
use squall_proto::schema::Message;

use super::definitions::{GroupVersionKind, Type, kinds_of, merge_rules, name_of, needed, properties, scalar_of};
use super::operations::Content;
use super::v3::{API_VERSION, KIND, groups};
use super::{TITLE, VERSION, operations};

/// Builds the document.
#[must_use]
pub fn document() -> Document {
    let paths = groups().iter().flat_map(|(group, _)| operations::paths(group)).map(path).collect();
    let definitions = needed(None).into_iter().map(|message| named(&name_of(message), schema(message))).collect();
    Document {
        swagger: "2.0".to_owned(),
        info: Some(Info { title: TITLE.to_owned(), version: VERSION.to_owned() }),
        paths: Some(Paths { path: paths }),
        definitions: Some(Definitions { additional_properties: definitions }),
    }
}

fn named(name: &str, value: Schema) -> NamedSchema {
    NamedSchema { name: name.to_owned(), value: Some(value) }
}

/// Creates an extension. Its value is JSON, which is valid YAML.
fn extension(name: &str, value: &Value) -> NamedAny {
    NamedAny { name: name.to_owned(), value: Some(Any { yaml: format!("{value}\n") }) }
}

fn gvk(kind: &GroupVersionKind) -> Value {
    json!({"group": kind.group, "version": kind.version, "kind": kind.kind})
}

fn path(path: operations::Path) -> NamedPathItem {
    let mut item = PathItem { parameters: path.parameters().map(in_path).collect(), ..PathItem::default() };
    for operation in path.operations {
        let slot = match operation.method {
            "get" => &mut item.get,
            "put" => &mut item.put,
            "post" => &mut item.post,
            "delete" => &mut item.delete,
            _ => &mut item.patch,
        };
        *slot = Some(described(&operation));
    }
    NamedPathItem { name: path.path, value: Some(item) }
}

fn described(operation: &operations::Operation) -> Operation {
    let query = operation.parameters.iter().map(|(name, kind)| in_query(name, kind));
    let body = content(&operation.takes).map(|schema| in_body(schema, operation.needs_body()));
    Operation {
        operation_id: operation.id.clone(),
        parameters: query.chain(body).collect(),
        responses: Some(responses(operation)),
        vendor_extension: vec![
            extension("x-kubernetes-action", &operation.action.into()),
            extension("x-kubernetes-group-version-kind", &gvk(&operation.kind)),
        ],
    }
}

fn in_path(name: &str) -> ParametersItem {
    let parameter =
        PathParameter { required: true, r#in: "path".to_owned(), name: name.to_owned(), r#type: "string".to_owned() };
    no_body(NonBodyParameter { path_parameter_sub_schema: Some(parameter), ..NonBodyParameter::default() })
}

fn in_query(name: &str, kind: &str) -> ParametersItem {
    let parameter = QueryParameter { r#in: "query".to_owned(), name: name.to_owned(), r#type: kind.to_owned() };
    no_body(NonBodyParameter { query_parameter_sub_schema: Some(parameter), ..NonBodyParameter::default() })
}

fn no_body(parameter: NonBodyParameter) -> ParametersItem {
    ParametersItem { parameter: Some(Parameter { non_body_parameter: Some(parameter), ..Parameter::default() }) }
}

fn in_body(schema: Schema, required: bool) -> ParametersItem {
    let body = BodyParameter { name: "body".to_owned(), r#in: "body".to_owned(), required, schema: Some(schema) };
    ParametersItem { parameter: Some(Parameter { body_parameter: Some(body), ..Parameter::default() }) }
}

fn responses(operation: &operations::Operation) -> Responses {
    let response = |(code, text): &(&str, &str)| NamedResponseValue {
        name: (*code).to_owned(),
        value: Some(ResponseValue {
            response: Some(Response {
                description: (*text).to_owned(),
                schema: content(&operation.gives).map(|schema| SchemaItem { schema: Some(schema) }),
            }),
        }),
    };
    let refused = NamedResponseValue {
        name: "401".to_owned(),
        value: Some(ResponseValue {
            response: Some(Response { description: "Unauthorized".to_owned(), schema: None }),
        }),
    };
    Responses { response_code: operation.answers().iter().map(response).chain([refused]).collect() }
}

fn content(content: &Content) -> Option<Schema> {
    match content {
        Content::Nothing => None,
        // This form has the built-in kinds alone.
        Content::Custom(name) => Some(reference(name)),
        Content::Message(name) => Message::find(name).map(|message| reference(&name_of(message))),
        Content::Patch => Some(Schema { r#type: of_type("object"), ..Schema::default() }),
        Content::Text => Some(Schema { r#type: of_type("string"), ..Schema::default() }),
    }
}

fn reference(name: &str) -> Schema {
    Schema { r#ref: format!("#/definitions/{name}"), ..Schema::default() }
}

fn of_type(kind: &str) -> Option<TypeItem> {
    Some(TypeItem { value: vec![kind.to_owned()] })
}

fn schema(message: &'static Message) -> Schema {
    let mut schema = Schema { description: message.doc.to_owned(), ..Schema::default() };
    if let Some((kind, format)) = scalar_of(message) {
        schema.r#type = of_type(kind);
        format.clone_into(&mut schema.format);
        return schema;
    }
    schema.r#type = of_type("object");
    let properties = properties(message);
    schema.required = properties.iter().filter(|p| p.field.required).map(|p| p.name.to_owned()).collect();
    let mut described: Vec<NamedSchema> = properties
        .iter()
        .map(|property| {
            let mut value = typed(&property.value);
            property.field.doc.clone_into(&mut value.description);
            value.vendor_extension =
                merge_rules(property.field).iter().map(|(key, rule)| extension(key, rule)).collect();
            named(property.name, value)
        })
        .collect();
    if let Some(kind) = kinds_of(message) {
        let text = |description: &str| Schema {
            description: description.to_owned(),
            r#type: of_type("string"),
            ..Schema::default()
        };
        described.push(named("apiVersion", text(API_VERSION)));
        described.push(named("kind", text(KIND)));
        schema.vendor_extension.push(extension("x-kubernetes-group-version-kind", &json!([gvk(&kind)])));
    }
    schema.properties = Some(Properties { additional_properties: described });
    schema
}

fn typed(value: &Type) -> Schema {
    match value {
        Type::Scalar(kind, format) => {
            Schema { r#type: of_type(kind), format: (*format).to_owned(), ..Schema::default() }
        }
        Type::Reference(name) => reference(name),
        Type::List(item) => Schema {
            r#type: of_type("array"),
            items: Some(ItemsItem { schema: vec![typed(item)] }),
            ..Schema::default()
        },
        Type::Map(item) => Schema {
            r#type: of_type("object"),
            additional_properties: Some(Box::new(AdditionalPropertiesItem { schema: Some(Box::new(typed(item))) })),
            ..Schema::default()
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_reference_leads_somewhere() {
        let definitions = document().definitions.unwrap().additional_properties;
        let names: BTreeSet<String> = definitions.iter().map(|d| format!("#/definitions/{}", d.name)).collect();
        let mut count = 0;
        for definition in &definitions {
            for property in
                definition.value.iter().flat_map(|v| v.properties.iter()).flat_map(|p| &p.additional_properties)
            {
                let value = property.value.clone().unwrap();
                assert!(value.r#ref.is_empty() || names.contains(&value.r#ref), "{}", value.r#ref);
                count += usize::from(!value.r#ref.is_empty());
            }
        }
        assert!(count > 100, "only {count} references");
    }

    #[test]
    fn each_part_of_a_path_in_braces_is_a_parameter_and_bodies_are_described() {
        let document = document();
        let definitions = document.definitions.unwrap().additional_properties;
        let mut bodies = 0;
        for path in document.paths.unwrap().path {
            let item = path.value.unwrap();
            let names: Vec<String> = item
                .parameters
                .into_iter()
                .filter_map(|p| p.parameter?.non_body_parameter?.path_parameter_sub_schema)
                .map(|p| format!("{{{}}}", p.name))
                .collect();
            let braces: Vec<&str> = path.name.split('/').filter(|part| part.starts_with('{')).collect();
            assert_eq!(names, braces, "{}", path.name);
            for operation in [item.post, item.put].into_iter().flatten() {
                let body = operation.parameters.into_iter().find_map(|p| p.parameter?.body_parameter);
                // The proxy takes any content for a pod.
                let Some(body) = body else { continue };
                bodies += 1;
                assert!(body.required, "{}", path.name);
                let reference = body.schema.unwrap().r#ref;
                assert!(definitions.iter().any(|d| reference.ends_with(&d.name)), "{reference}");
            }
        }
        assert!(bodies > 20, "only {bodies} bodies");
    }
}
