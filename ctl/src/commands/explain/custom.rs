//! Describes the fields of a kind that users have defined, by its schema.

use squall_api::Kind;
use squall_api::apiextensions::v1::{CustomResourceDefinition, JsonSchemaProps};

use super::{paragraph, show_kind};
use crate::cli::ExplainArgs;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::line;

/// How deep a schema is shown.
const DEEPEST: usize = 40;

/// Describes a kind or one of its fields.
pub(super) async fn explain(context: &Context, args: &ExplainArgs) -> Result<(), Failure> {
    let mut path = args.what.split(['.', '/']).filter(|part| !part.is_empty());
    let kind = context.kind(path.next().unwrap_or_default()).await?;
    let definitions = context.client.kinds(&kind.info().plural_group()).await?;
    let root = definitions.first().and_then(|definition| schema_of(definition, kind));
    let mut schema = root.ok_or_else(|| Failure::error(format!("{} is not described", kind.info().kind)))?;
    let mut named = None;
    for name in path {
        let found = element(schema).properties.get(name);
        schema = found.ok_or_else(|| Failure::error(format!("field {name:?} does not exist")))?;
        named = Some(name);
    }
    show_kind(kind);
    if let Some(name) = named {
        line(&format!("FIELD: {name} <{}>", type_of(schema)));
        line("");
    }
    line("DESCRIPTION:");
    paragraph(&schema.description, "    ");
    let fields = &element(schema).properties;
    if !fields.is_empty() {
        line("");
        line("FIELDS:");
        for (name, field) in fields {
            show(name, field, element(schema), 1, args.recursive);
        }
    }
    Ok(())
}

fn schema_of(definition: &CustomResourceDefinition, kind: Kind) -> Option<&JsonSchemaProps> {
    let version = definition.spec.versions.iter().find(|version| version.name == kind.info().version)?;
    version.schema.as_ref()?.open_apiv3_schema.as_ref()
}

/// The schema of the elements of a list or a map, and of those of lists in lists; of anything else, its own.
fn element(schema: &JsonSchemaProps) -> &JsonSchemaProps {
    let items = schema.items.as_ref().and_then(|items| items.schema.as_deref());
    let values = schema.additional_properties.as_ref().and_then(|more| more.schema.as_deref());
    items.or(values).map_or(schema, element)
}

fn type_of(schema: &JsonSchemaProps) -> String {
    let items = schema.items.as_ref().and_then(|items| items.schema.as_deref());
    let values = schema.additional_properties.as_ref().and_then(|more| more.schema.as_deref());
    match (items, values) {
        (Some(items), _) => format!("[]{}", type_of(items)),
        (None, Some(values)) => format!("map[string]{}", type_of(values)),
        (None, None) if schema.x_kubernetes_int_or_string => "IntOrString".to_owned(),
        (None, None) if schema.r#type == "object" || schema.r#type.is_empty() => "Object".to_owned(),
        (None, None) => schema.r#type.clone(),
    }
}

fn show(name: &str, field: &JsonSchemaProps, parent: &JsonSchemaProps, depth: usize, recursive: bool) {
    let required = if parent.required.iter().any(|required| required == name) { " -required-" } else { "" };
    line(&format!("{}{name}\t<{}>{required}", "  ".repeat(depth), type_of(field)));
    if recursive {
        if depth < DEEPEST {
            let within = element(field);
            within.properties.iter().for_each(|(name, field)| show(name, field, within, depth + 1, true));
        }
        return;
    }
    paragraph(&field.description, "    ");
    line("");
}
