//! OpenAPI 2: one document for the whole API, as a protobuf message, which is the form that kubectl reads.

use serde_json::{Value, json};
use squall_proto::openapi::v2::{
    AdditionalPropertiesItem, Any, Definitions, Document, Info, ItemsItem, NamedAny, NamedPathItem, NamedResponseValue,
    NamedSchema, NonBodyParameter, Operation, Parameter, ParametersItem, PathItem, Paths, Properties, QueryParameter,
    Response, ResponseValue, Responses, Schema, TypeItem,
};
use squall_proto::schema::Message;

use super::definitions::{GroupVersionKind, Type, kinds_of, merge_rules, name_of, needed, properties, scalar_of};
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
    let mut item = PathItem::default();
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
    let query = |name: &str, kind: &str| QueryParameter {
        r#in: "query".to_owned(),
        name: name.to_owned(),
        r#type: kind.to_owned(),
    };
    let parameter = |(name, kind): &(&str, &str)| {
        let non_body = NonBodyParameter { query_parameter_sub_schema: Some(query(name, kind)) };
        ParametersItem { parameter: Some(Parameter { non_body_parameter: Some(non_body) }) }
    };
    let ok = ResponseValue { response: Some(Response { description: "OK".to_owned() }) };
    Operation {
        operation_id: operation.id.clone(),
        parameters: operation.parameters.iter().map(parameter).collect(),
        responses: Some(Responses {
            response_code: vec![NamedResponseValue { name: "200".to_owned(), value: Some(ok) }],
        }),
        vendor_extension: vec![
            extension("x-kubernetes-action", &operation.action.into()),
            extension("x-kubernetes-group-version-kind", &gvk(&operation.kind)),
        ],
    }
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
        Type::Reference(name) => Schema { r#ref: format!("#/definitions/{name}"), ..Schema::default() },
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
}
