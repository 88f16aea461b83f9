//! The documents of the kinds that users have defined: their schemas, as they were defined, with the fields that every
//! object has.

use serde_json::{Map, Value, json};
use squall_proto::apiextensions::v1::{CustomResourceDefinition, JsonSchemaProps};
use squall_proto::schema::Message;

use super::definitions::{name_of, needed};
use super::operations::{Content, Path, paths_of};
use super::v3::{self, API_VERSION, KIND};
use crate::kinds::Version;

/// A version of a kind that users have defined, with the definition that has its schema.
#[derive(Debug, Clone, Copy)]
pub struct Custom<'a> {
    /// The definition.
    pub definition: &'a CustomResourceDefinition,
    /// One of its versions, compiled.
    pub version: &'a Version,
}

/// Builds the document of a group in one version from all its kinds.
#[must_use]
pub fn document(kinds: &[Custom<'_>]) -> Value {
    let mut schemas: Map<String, Value> =
        needed(Some("")).into_iter().filter(is_shared).map(|m| (name_of(m), v3::schema(m))).collect();
    let mut paths = Vec::new();
    for kind in kinds {
        paths.extend(kind.paths());
        schemas.extend(kind.schemas());
    }
    v3::of(paths, schemas)
}

/// Whether every document needs a message: metadata, options, statuses and scales.
fn is_shared(message: &&'static Message) -> bool {
    ["meta.v1.", "autoscaling.v1.", "runtime."].iter().any(|package| message.name.starts_with(package))
}

impl Custom<'_> {
    /// Kubernetes turns the group round: `com.example.stable.v1.CronTab`.
    fn name(&self, kind: &str) -> String {
        let info = self.version.kind().info();
        let group: Vec<&str> = info.group.rsplit('.').collect();
        format!("{}.{}.{kind}", group.join("."), info.version)
    }

    fn list_kind(&self) -> &str {
        &self.definition.spec.names.list_kind
    }

    fn paths(&self) -> Vec<Path> {
        let info = self.version.kind().info();
        let content = |kind: &str| Content::Custom(self.name(kind));
        paths_of(info, &self.version.parts(), &content(info.kind), &content(self.list_kind()))
    }

    /// Returns the schemas of the kind and of its lists, by name.
    fn schemas(&self) -> [(String, Value); 2] {
        let kind = self.version.kind().info().kind;
        [(self.name(kind), self.schema()), (self.name(self.list_kind()), self.list_schema())]
    }

    fn gvk(&self, kind: &str) -> Value {
        let info = self.version.kind().info();
        json!([{"group": info.group, "version": info.version, "kind": kind}])
    }

    fn schema(&self) -> Value {
        let name = self.version.kind().info().version;
        let versions = &self.definition.spec.versions;
        let version = versions.iter().find(|version| version.name == name);
        let schema = version.and_then(|version| version.schema.as_ref()?.open_apiv3_schema.as_ref());
        let mut schema = schema.map(plain).unwrap_or_else(|| json!({"type": "object"}));
        let metadata = json!({"allOf": [{"$ref": reference("ObjectMeta")}], "description": METADATA});
        if let Some(properties) = properties_of(&mut schema) {
            properties.extend(own_properties());
            properties.insert("metadata".to_owned(), metadata);
        }
        schema["x-kubernetes-group-version-kind"] = self.gvk(self.version.kind().info().kind);
        schema
    }

    fn list_schema(&self) -> Value {
        let kind = self.version.kind().info().kind;
        let item = json!({"$ref": format!("#/components/schemas/{}", self.name(kind))});
        let mut properties = own_properties();
        properties.insert("items".to_owned(), json!({"type": "array", "items": item, "description": "The objects."}));
        properties.insert("metadata".to_owned(), json!({"allOf": [{"$ref": reference("ListMeta")}]}));
        json!({
            "type": "object",
            "description": format!("{} is a list of {kind}.", self.list_kind()),
            "required": ["items"],
            "properties": properties,
            "x-kubernetes-group-version-kind": self.gvk(self.list_kind()),
        })
    }
}

const METADATA: &str = "Standard object's metadata.";

fn reference(message: &str) -> String {
    format!("#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.{message}")
}

fn plain(schema: &JsonSchemaProps) -> Value {
    serde_json::to_value(schema).unwrap_or_else(|_| json!({"type": "object"}))
}

fn properties_of(schema: &mut Value) -> Option<&mut Map<String, Value>> {
    let properties = schema.as_object_mut()?.entry("properties").or_insert_with(|| json!({}));
    properties.as_object_mut()
}

fn own_properties() -> Map<String, Value> {
    let described = |text: &str| json!({"type": "string", "description": text});
    [("apiVersion".to_owned(), described(API_VERSION)), ("kind".to_owned(), described(KIND))].into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::Definition;

    #[test]
    fn a_kind_is_described_with_its_paths_and_every_reference_leads_somewhere() {
        let definition = json!({"spec": {"group": "stable.example.com", "scope": "Namespaced",
            "names": {"plural": "crontabs", "singular": "crontab", "kind": "CronTab", "listKind": "CronTabList"},
            "versions": [{"name": "v1", "served": true, "storage": true, "subresources": {"scale": {
                "specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}},
                "schema": {"openAPIV3Schema": {"type": "object", "description": "Runs.", "properties": {
                    "spec": {"type": "object", "properties": {"replicas": {"type": "integer"}}}}}}}]}});
        let definition: CustomResourceDefinition = serde_json::from_value(definition).unwrap();
        let compiled = Definition::of(&definition, 1).unwrap();
        let document = document(&[Custom { definition: &definition, version: compiled.version("v1").unwrap() }]);
        let schema = &document["components"]["schemas"]["com.example.stable.v1.CronTab"];
        assert_eq!(
            (&schema["description"], &schema["properties"]["spec"]["properties"]["replicas"]["type"]),
            (&json!("Runs."), &json!("integer"))
        );
        let path = &document["paths"]["/apis/stable.example.com/v1/namespaces/{namespace}/crontabs/{name}/scale"];
        assert_eq!(path["get"]["x-kubernetes-group-version-kind"]["kind"], "Scale");
        let text = document.to_string();
        for name in text.split("#/components/schemas/").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(document["components"]["schemas"].get(name).is_some(), "{name}");
        }
    }
}
