//! Objects as the rows of a `Table`, which kubectl prints. Pure functions.

use jiff::Timestamp;
use serde_json::{Value, json};
use squall_api::table::Column;
use squall_api::{Error, Kind, Object};

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
pub fn of_objects(kind: Kind, objects: &[Object], include: Include, now: Timestamp) -> Value {
    let rows = objects.iter().map(|object| row(object, include, now)).collect();
    let version = match objects {
        [object] => object.meta().resource_version.clone(),
        _ => String::new(),
    };
    table(kind, &json!({"resourceVersion": version}), rows, Headings::Shown)
}

/// Returns a table of rows.
pub fn table(kind: Kind, metadata: &Value, rows: Vec<Value>, headings: Headings) -> Value {
    let columns = match headings {
        Headings::Shown => kind.columns().iter().map(Column::definition).collect(),
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
    let columns = object.kind().columns().iter();
    let cells: Vec<Value> = columns.zip(object.row(now)).map(|(column, text)| column.cell(text)).collect();
    match include {
        Include::None => json!({"cells": cells}),
        Include::Metadata => json!({"cells": cells, "object": partial(object)}),
        Include::Object => json!({"cells": cells, "object": object.to_json()}),
    }
}

/// Returns the metadata of an object as an object of its own.
pub fn partial(object: &Object) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object.meta()})
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_api::apps::v1::ReplicaSet;

    #[test]
    fn numbers_are_numbers_and_names_are_names() {
        let mut set = ReplicaSet::default();
        set.metadata.name = "kubia".to_owned();
        set.spec.replicas = Some(3);
        let table = of_objects(Kind::ReplicaSet, &[set.into()], Include::Metadata, Timestamp::UNIX_EPOCH);
        assert_eq!(table["columnDefinitions"][0]["format"], "name");
        assert_eq!(table["columnDefinitions"][1]["type"], "integer");
        assert_eq!(table["columnDefinitions"][5]["priority"], 1);
        assert_eq!((&table["rows"][0]["cells"][0], &table["rows"][0]["cells"][1]), (&json!("kubia"), &json!(3)));
        assert_eq!(table["rows"][0]["object"]["kind"], "PartialObjectMetadata");
    }
}
