//! A custom resource definition, compiled: the versions of its kind with their rules.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;
use squall_proto::apiextensions::v1::{
    CustomResourceColumnDefinition, CustomResourceDefinition, CustomResourceDefinitionNames,
    CustomResourceDefinitionVersion, CustomResourceSubresourceScale,
};
use squall_proto::meta::v1::Time;

use super::custom_kind::{CustomKind, CustomName};
use super::custom_resource_definition::has_condition;
use super::definition_rules::printer_path;
use crate::age;
use crate::jsonpath;
use crate::structural::{self, Schema};

/// A compiled definition.
#[derive(Debug)]
pub struct Definition {
    revision: u64,
    group: String,
    names: CustomResourceDefinitionNames,
    is_namespaced: bool,
    is_established: bool,
    /// Whether a service of the user's converts objects from one version to another. Nobody calls it.
    needs_conversion: bool,
    versions: Vec<Arc<Version>>,
}

/// One version of a custom kind.
#[derive(Debug)]
pub struct Version {
    kind: CustomKind,
    /// The revision at which the definition was written.
    revision: u64,
    served: bool,
    storage: bool,
    deprecation: Option<String>,
    schema: Schema,
    has_defaults: bool,
    has_status: bool,
    scale: Option<CustomResourceSubresourceScale>,
    columns: Vec<PrinterColumn>,
    /// The paths by which field selectors can choose, without their leading dot.
    selectable: BTreeSet<String>,
    is_terminating: bool,
}

/// A column of a custom kind's table.
#[derive(Debug)]
pub struct PrinterColumn {
    /// The column as it was defined.
    pub column: CustomResourceColumnDefinition,
    /// `None` for a path that is refused today: its cells are empty.
    path: Option<jsonpath::Path>,
}

impl PrinterColumn {
    fn of(column: &CustomResourceColumnDefinition) -> Self {
        Self { column: column.clone(), path: printer_path(&column.json_path).ok() }
    }

    /// Returns the text of the column for an object; empty if the object has no such value.
    #[must_use]
    pub fn cell(&self, object: &Value, now: Timestamp) -> String {
        let found = self.path.as_ref().and_then(|path| path.find(object).into_iter().next());
        let Some(found) = found else { return String::new() };
        match (self.column.r#type.as_str(), found) {
            (_, Value::Null) => String::new(),
            ("date", Value::String(text)) => match text.parse::<Timestamp>() {
                Ok(time) => age::since(&Time::from_timestamp(time), now),
                Err(_) => "<invalid>".to_owned(),
            },
            (_, Value::String(text)) => text.clone(),
            (_, other) => other.to_string(),
        }
    }
}

impl Definition {
    /// Compiles a definition that was written at this revision. The error says why it cannot be served.
    pub fn of(definition: &CustomResourceDefinition, revision: u64) -> Result<Self, String> {
        let spec = &definition.spec;
        let is_terminating = definition.metadata.deletion_timestamp.is_some();
        let version = |version: &CustomResourceDefinitionVersion| {
            let name = CustomName {
                group: spec.group.clone(),
                version: version.name.clone(),
                kind: spec.names.kind.clone(),
                plural: spec.names.plural.clone(),
                singular: spec.names.singular.clone(),
                is_namespaced: spec.scope == "Namespaced",
            };
            Version::of(version, &name, revision, is_terminating).map(Arc::new)
        };
        Ok(Self {
            revision,
            group: spec.group.clone(),
            names: spec.names.clone(),
            is_namespaced: spec.scope == "Namespaced",
            is_established: has_condition(definition, "Established"),
            needs_conversion: spec.conversion.as_ref().is_some_and(|conversion| conversion.strategy == "Webhook"),
            versions: spec.versions.iter().map(version).collect::<Result<_, _>>()?,
        })
    }

    /// Returns the revision at which the definition was written.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Returns the API group.
    #[must_use]
    pub fn group(&self) -> &str {
        &self.group
    }

    /// Returns the names of the kind.
    #[must_use]
    pub fn names(&self) -> &CustomResourceDefinitionNames {
        &self.names
    }

    /// Whether objects live in a namespace.
    #[must_use]
    pub fn is_namespaced(&self) -> bool {
        self.is_namespaced
    }

    /// Whether clients can use the kind.
    #[must_use]
    pub fn is_established(&self) -> bool {
        self.is_established
    }

    /// Returns the version of this name, if clients can use it.
    #[must_use]
    pub fn version(&self, name: &str) -> Option<&Arc<Version>> {
        self.served().find(|version| version.kind.info().version == name)
    }

    /// Returns the versions that clients can use, in the order of their definition. Without the service that converts,
    /// that is the one in which objects are stored.
    pub fn served(&self) -> impl Iterator<Item = &Arc<Version>> {
        self.versions.iter().filter(|version| version.served && (version.storage || !self.needs_conversion))
    }

    /// Returns the version in which objects are stored.
    #[must_use]
    pub fn storage(&self) -> Option<&Arc<Version>> {
        self.versions.iter().find(|version| version.storage)
    }
}

impl Version {
    fn of(
        version: &CustomResourceDefinitionVersion,
        name: &CustomName,
        revision: u64,
        is_terminating: bool,
    ) -> Result<Self, String> {
        let schema = version.schema.as_ref().and_then(|schema| schema.open_apiv3_schema.as_ref());
        let schema = structural::compile(schema.ok_or("there is no schema")?)?;
        let parts = version.subresources.as_ref();
        let kind = CustomKind::of(name).ok_or("this process has seen too many kinds; restart it")?;
        let warning = || format!("{}/{} {} is deprecated", name.group, name.version, name.kind);
        Ok(Self {
            kind,
            revision,
            served: version.served,
            storage: version.storage,
            deprecation: version.deprecated.then(|| version.deprecation_warning.clone().unwrap_or_else(warning)),
            has_defaults: schema.has_defaults(),
            schema,
            has_status: parts.is_some_and(|parts| parts.status.is_some()),
            scale: parts.and_then(|parts| parts.scale.clone()),
            columns: version.additional_printer_columns.iter().map(PrinterColumn::of).collect(),
            selectable: version
                .selectable_fields
                .iter()
                .map(|field| field.json_path.trim_start_matches('.').to_owned())
                .collect(),
            is_terminating,
        })
    }

    /// Returns the kind of objects in this version.
    #[must_use]
    pub fn kind(&self) -> CustomKind {
        self.kind
    }

    /// Returns the revision at which the definition was written.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Returns how good the version is among those of its kind.
    #[must_use]
    pub fn rank(&self) -> Rank<'static> {
        version_rank(self.kind.info().version)
    }

    /// Returns the warning for clients that use the version, if it is deprecated.
    #[must_use]
    pub fn deprecation(&self) -> Option<&str> {
        self.deprecation.as_deref()
    }

    /// Returns the schema of objects.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Whether a field that is left out may get a value.
    #[must_use]
    pub fn has_defaults(&self) -> bool {
        self.has_defaults
    }

    /// Whether objects have a status of their own.
    #[must_use]
    pub fn has_status(&self) -> bool {
        self.has_status
    }

    /// Returns the places of the numbers of replicas, if the kind has a scale.
    #[must_use]
    pub fn scale(&self) -> Option<&CustomResourceSubresourceScale> {
        self.scale.as_ref()
    }

    /// Returns the columns of the kind's table after the name; empty for the columns that every kind has.
    #[must_use]
    pub fn columns(&self) -> &[PrinterColumn] {
        &self.columns
    }

    /// Whether field selectors can choose by this field.
    #[must_use]
    pub fn can_select(&self, field: &str) -> bool {
        self.selectable.contains(field)
    }

    /// Whether the definition is being deleted, so that no new objects are taken.
    #[must_use]
    pub fn is_terminating(&self) -> bool {
        self.is_terminating
    }
}

/// The rank of a version, for comparison only.
pub type Rank<'a> = (u8, u64, u64, Reverse<&'a str>);

/// How good a version is (Kubernetes: v2 is better than v1, v1 than v1beta2, that than v1alpha1, and that than any other
/// name).
#[must_use]
pub fn version_rank(version: &str) -> Rank<'_> {
    let other = (0, 0, 0, Reverse(version));
    let Some(rest) = version.strip_prefix('v') else { return other };
    let end = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
    let (major, stage) = rest.split_at(end);
    let Ok(major) = major.parse() else { return other };
    let (level, minor) = match stage {
        "" => return (3, major, 0, Reverse(version)),
        stage if stage.starts_with("beta") => (2, stage.trim_start_matches("beta")),
        stage if stage.starts_with("alpha") => (1, stage.trim_start_matches("alpha")),
        _ => return other,
    };
    minor.parse().map_or(other, |minor| (level, major, minor, Reverse(version)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ranked_as_by_kubernetes() {
        let mut versions = ["foo1", "v1alpha1", "v10", "v1", "v1beta2", "v2", "v1beta1", "foo", "v11alpha2"];
        versions.sort_by_key(|version| Reverse(version_rank(version)));
        assert_eq!(versions, ["v10", "v2", "v1", "v1beta2", "v1beta1", "v11alpha2", "v1alpha1", "foo", "foo1"]);
    }
}
