//! Objects as the rows of a `Table`, which kubectl prints. Pure functions.

use jiff::Timestamp;
use serde_json::{Value, json};
use squall_api::table::printer_cell;
use squall_api::{Error, Object};

use crate::request::Served;

/// Which part of an object its row includes (`includeObject`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Include {
    /// Only the cells.
    None,
    /// The metadata.
    #[default]
    Metadata,
    /// The whole object.
    Object,
}

/// Whether a table contains its column definitions. In a watch, only the first one does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Headings {
    /// With column definitions.
    Shown,
    /// Without column definitions.
    Hidden,
}

impl Include {
    /// Parses the parameter `includeObject`.
    pub fn parse(text: &str) -> Result<Self, Error> {
        match text {
            "" | "Metadata" => Ok(Self::Metadata),
            "None" => Ok(Self::None),
            "Object" => Ok(Self::Object),
            other => Err(Error::bad_request(format!(
                "unrecognized includeObject value: {other:?} (one of None, Metadata, Object)"
            ))),
        }
    }
}

/// Returns a table of objects.
pub fn of_objects(served: &Served, objects: &[Object], include: Include, now: Timestamp) -> Value {
    let rows = objects.iter().map(|object| row(object, include, now)).collect();
    let version = match objects {
        [object] => object.meta().resource_version.clone(),
        _ => String::new(),
    };
    table(served, &json!({"resourceVersion": version}), rows, Headings::Shown)
}

/// Returns a table of rows.
pub fn table(served: &Served, metadata: &Value, rows: Vec<Value>, headings: Headings) -> Value {
    let columns = match headings {
        Headings::Shown => served.columns(),
        Headings::Hidden => Vec::new(),
    };
    json!({
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": columns,
        "rows": rows,
    })
}

/// Returns the row of an object.
pub fn row(object: &Object, include: Include, now: Timestamp) -> Value {
    let cells = cells(object, now);
    match include {
        Include::None => json!({"cells": cells}),
        Include::Metadata => json!({"cells": cells, "object": partial(object)}),
        Include::Object => json!({"cells": cells, "object": object.to_json()}),
    }
}

fn cells(object: &Object, now: Timestamp) -> Vec<Value> {
    let texts = object.row(now).into_iter();
    match object.version().map(|version| version.columns()) {
        Some(columns) if !columns.is_empty() => {
            let types = std::iter::once("string").chain(columns.iter().map(|column| column.column.r#type.as_str()));
            texts.zip(types).map(|(text, of)| printer_cell(text, of)).collect()
        }
        _ => object.kind().columns().iter().zip(texts).map(|(column, text)| column.cell(text)).collect(),
    }
}

/// Returns the metadata of an object as an object of its own.
pub fn partial(object: &Object) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object.meta()})
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_api::Kind;
    use squall_api::apps::v1::ReplicaSet;

    #[test]
    fn numbers_are_numbers_and_names_are_names() {
        let mut set = ReplicaSet::default();
        set.metadata.name = "kubia".to_owned();
        set.spec.replicas = Some(3);
        let table = of_objects(&Kind::ReplicaSet.into(), &[set.into()], Include::Metadata, Timestamp::UNIX_EPOCH);
        assert_eq!(table["columnDefinitions"][0]["format"], "name");
        assert_eq!(table["columnDefinitions"][1]["type"], "integer");
        assert_eq!(table["columnDefinitions"][5]["priority"], 1);
        assert_eq!((&table["rows"][0]["cells"][0], &table["rows"][0]["cells"][1]), (&json!("kubia"), &json!(3)));
        assert_eq!(table["rows"][0]["object"]["kind"], "PartialObjectMetadata");
    }
}
