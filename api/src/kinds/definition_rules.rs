//! The rules for custom resource definitions, with Kubernetes' messages. `structural` has those for schemas.

use std::collections::BTreeSet;

use squall_proto::apiextensions::v1::{
    CustomResourceColumnDefinition, CustomResourceDefinition, CustomResourceDefinitionNames,
    CustomResourceDefinitionSpec, CustomResourceDefinitionVersion, CustomResourceSubresources, SelectableField,
};

use super::Kind;
use super::conversion_rules::validate_conversion;
use crate::field::{Errors, Path};
use crate::{jsonpath, names, structural};

const COLUMN_TYPES: [&str; 5] = ["boolean", "date", "integer", "number", "string"];
const COLUMN_FORMATS: [&str; 8] = ["byte", "date", "date-time", "double", "float", "int32", "int64", "password"];
/// The groups of the requests that are never stored.
const OWN_GROUPS: [&str; 4] = ["authentication.k8s.io", "authorization.k8s.io", "apidiscovery.k8s.io", "meta.k8s.io"];
const MAX_VERSIONS: usize = 100;
const MAX_SELECTABLE_FIELDS: usize = 8;
/// The longest path of a column, in bytes.
const MAX_PATH: usize = 1024;

/// The facts about a stored definition that decide which changes are allowed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Update {
    /// It is served, so that there may be objects.
    pub(super) is_established: bool,
}

/// Checks a definition.
pub(super) fn validate(definition: &CustomResourceDefinition, errors: &mut Errors) {
    let (spec, path) = (&definition.spec, Path::new("spec"));
    let wanted = format!("{}.{}", spec.names.plural, spec.group);
    if definition.metadata.name != wanted {
        let detail = "must be spec.names.plural+\".\"+spec.group";
        errors.invalid(&Path::new("metadata").child("name"), &definition.metadata.name, detail);
    }
    validate_group(&spec.group, &path.child("group"), errors);
    errors.required_one_of(&path.child("scope"), &spec.scope, &["Cluster", "Namespaced"]);
    validate_versions(spec, &path.child("versions"), errors);
    validate_names(&spec.names, &path.child("names"), errors);
    if let Some(conversion) = &spec.conversion {
        validate_conversion(conversion, &path.child("conversion"), errors);
    }
    if spec.preserve_unknown_fields {
        let detail =
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead";
        errors.invalid(&path.child("preserveUnknownFields"), &true, detail);
    }
    validate_stored(definition, &Path::new("status").child("storedVersions"), errors);
    validate_approval(definition, errors);
}

/// Checks a change of a definition.
pub(super) fn validate_update(
    new: &CustomResourceDefinition,
    old: &CustomResourceDefinition,
    update: Update,
    errors: &mut Errors,
) {
    let (spec, before, path) = (&new.spec, &old.spec, Path::new("spec"));
    let mut fixed = vec![
        (path.child("group"), &spec.group, &before.group),
        (path.child("names").child("plural"), &spec.names.plural, &before.names.plural),
    ];
    if update.is_established {
        fixed.push((path.child("scope"), &spec.scope, &before.scope));
        fixed.push((path.child("names").child("kind"), &spec.names.kind, &before.names.kind));
    }
    for (path, new, _) in fixed.into_iter().filter(|(_, new, old)| new != old) {
        errors.invalid(&path, new, "field is immutable");
    }
}

fn validate_group(group: &str, path: &Path, errors: &mut Errors) {
    let problems = names::dns1123_subdomain(group);
    if group.is_empty() {
        errors.required(path, "");
    } else if !problems.is_empty() {
        errors.invalid(path, &group, &problems.join(","));
    } else if !group.contains('.') {
        errors.invalid(path, &group, "should be a domain with at least one dot");
    } else if OWN_GROUPS.contains(&group) || Kind::ALL.iter().any(|kind| kind.info().group == group) {
        // Kubernetes takes such a definition. Its objects would lie among the built-in ones, whose controllers delete them.
        errors.forbidden(path, "must not be a group of this cluster's own kinds");
    }
}

pub(super) fn validate_label(text: &str, path: &Path, errors: &mut Errors) {
    let problems = names::dns1035_label(text);
    if !problems.is_empty() {
        errors.invalid(path, &text, &problems.join(","));
    }
}

fn validate_names(names: &CustomResourceDefinitionNames, path: &Path, errors: &mut Errors) {
    let required = [
        ("plural", &names.plural),
        ("singular", &names.singular),
        ("kind", &names.kind),
        ("listKind", &names.list_kind),
    ];
    for (field, name) in required {
        let path = path.child(field);
        let problems = names::dns1035_label(&name.to_lowercase());
        match field {
            _ if name.is_empty() => errors.required(&path, ""),
            "kind" | "listKind" if !problems.is_empty() => {
                let detail = format!("may have mixed case, but should otherwise match: {}", problems.join(","));
                errors.invalid(&path, name, &detail);
            }
            "kind" | "listKind" => {}
            _ => validate_label(name, &path, errors),
        }
    }
    if !names.kind.is_empty() && names.kind == names.list_kind {
        errors.invalid(&path.child("listKind"), &names.list_kind, "kind and listKind may not be the same");
    }
    for (field, list) in [("shortNames", &names.short_names), ("categories", &names.categories)] {
        for (index, name) in list.iter().enumerate() {
            validate_label(name, &path.child(field).index(index), errors);
        }
    }
}

fn validate_versions(spec: &CustomResourceDefinitionSpec, path: &Path, errors: &mut Errors) {
    if spec.versions.len() > MAX_VERSIONS {
        return errors.too_many(path, spec.versions.len(), MAX_VERSIONS);
    }
    let mut seen = BTreeSet::new();
    for (index, version) in spec.versions.iter().enumerate() {
        validate_label(&version.name, &path.index(index).child("name"), errors);
        if index == 0 {
            // Kubernetes' own form has the first version once more.
            validate_label(&version.name, &Path::new("spec").child("version"), errors);
        }
        seen.insert(&version.name);
    }
    for (index, version) in spec.versions.iter().enumerate() {
        validate_version(version, &Places::of(spec, index), index == 0, errors);
    }
    if seen.len() < spec.versions.len() {
        errors.invalid(path, &names_of(spec), "must contain unique version names");
    }
    if spec.versions.iter().filter(|version| version.storage).count() != 1 {
        errors.invalid(path, &names_of(spec), "must have exactly one version marked as storage version");
    }
}

/// Kubernetes prints the whole versions, with their schemas.
fn names_of(spec: &CustomResourceDefinitionSpec) -> Vec<&str> {
    spec.versions.iter().map(|version| version.name.as_str()).collect()
}

/// Where an error says that a part of a version is. Kubernetes' own form of a definition has once for all what every
/// version has alike, and so it is there if there is but one version.
struct Places {
    version: Path,
    schema: Shared,
    parts: Shared,
    columns: Shared,
    fields: Shared,
}

/// The place of a part, and whether all versions share it.
struct Shared {
    path: Path,
    is_shared: bool,
}

impl Places {
    fn of(spec: &CustomResourceDefinitionSpec, index: usize) -> Self {
        let (whole, version) = (Path::new("spec"), Path::new("spec").child("versions").index(index));
        let place = |name: &str, shared: &str, is_shared: bool| Shared {
            path: if is_shared { whole.child(shared) } else { version.child(name) },
            is_shared,
        };
        let first = spec.versions.first();
        let same = |is_same: fn(&CustomResourceDefinitionVersion, &CustomResourceDefinitionVersion) -> bool| {
            first.is_some_and(|first| spec.versions.iter().all(|version| is_same(first, version)))
        };
        Self {
            schema: place("schema", "validation", same(|one, other| one.schema == other.schema)),
            parts: place("subresources", "subresources", same(|one, other| one.subresources == other.subresources)),
            columns: place(
                "additionalPrinterColumns",
                "additionalPrinterColumns",
                same(|one, other| one.additional_printer_columns == other.additional_printer_columns),
            ),
            fields: place(
                "selectableFields",
                "selectableFields",
                same(|one, other| one.selectable_fields == other.selectable_fields),
            ),
            version,
        }
    }
}

/// Checks a version; of parts that all versions share, only those of the first.
fn validate_version(version: &CustomResourceDefinitionVersion, places: &Places, is_first: bool, errors: &mut Errors) {
    validate_warning(version, &places.version.child("deprecationWarning"), errors);
    let is_here = |place: &Shared| is_first || !place.is_shared;
    let schema = version.schema.as_ref().and_then(|schema| schema.open_apiv3_schema.as_ref());
    match schema {
        None => errors.required(&places.version.child("schema").child("openAPIV3Schema"), ""),
        Some(schema) if is_here(&places.schema) => {
            structural::validate(schema, &places.schema.path.child("openAPIV3Schema"), errors);
        }
        Some(_) => {}
    }
    if let Some(parts) = version.subresources.as_ref().filter(|_| is_here(&places.parts)) {
        validate_parts(parts, &places.parts.path, errors);
    }
    for (index, column) in version.additional_printer_columns.iter().enumerate().filter(|_| is_here(&places.columns)) {
        validate_column(column, &places.columns.path.index(index), errors);
    }
    if is_here(&places.fields) && !version.selectable_fields.is_empty() {
        let compiled = schema.and_then(|schema| structural::compile(schema).ok());
        validate_selectable(&version.selectable_fields, compiled.as_ref(), &places.fields.path, errors);
    }
}

fn validate_warning(version: &CustomResourceDefinitionVersion, path: &Path, errors: &mut Errors) {
    let Some(warning) = &version.deprecation_warning else { return };
    let control = warning.chars().position(char::is_control);
    let problems = [
        (!version.deprecated).then(|| "can only be set for deprecated versions".to_owned()),
        (warning.len() > 256).then(|| "must be <= 256 characters long".to_owned()),
        warning.is_empty().then(|| "must not be an empty string".to_owned()),
        control.map(|at| {
            format!("must only contain printable UTF-8 characters; non-printable character found at index {at}")
        }),
    ];
    for problem in problems.into_iter().flatten() {
        errors.invalid(path, warning, &problem);
    }
}

fn validate_column(column: &CustomResourceColumnDefinition, path: &Path, errors: &mut Errors) {
    if column.name.is_empty() {
        errors.required(&path.child("name"), "");
    }
    let types = format!("must be one of {}", COLUMN_TYPES.join(","));
    if column.r#type.is_empty() {
        errors.required(&path.child("type"), &types);
    } else if !COLUMN_TYPES.contains(&column.r#type.as_str()) {
        errors.invalid(&path.child("type"), &column.r#type, &types);
    }
    if !column.format.is_empty() && !COLUMN_FORMATS.contains(&column.format.as_str()) {
        let formats = format!("must be one of {}", COLUMN_FORMATS.join(","));
        errors.invalid(&path.child("format"), &column.format, &formats);
    }
    let place = path.child("JSONPath");
    let mut found = Errors::default();
    validate_path(&column.json_path, &place, &mut found);
    if found.is_empty()
        && let Err(problem) = printer_path(&column.json_path)
    {
        found.invalid(&place, &column.json_path, &problem);
    }
    errors.append(found);
}

/// Parses the path of a column. Looking for a name at every depth, time and again, would take more than linear time.
pub(super) fn printer_path(text: &str) -> Result<jsonpath::Path, String> {
    if text.len() > MAX_PATH || !jsonpath::is_simple(text) {
        return Err(format!(
            "must be of names, indexes, at most two \"*\", one \"..\" and one filter, and have at most {MAX_PATH} bytes"
        ));
    }
    jsonpath::Path::relaxed(text)
}

/// Checks a path such as `.spec.replicas`.
fn validate_path(text: &str, path: &Path, errors: &mut Errors) {
    if text.is_empty() {
        errors.required(path, "");
    } else if !text.starts_with('.') {
        errors.invalid(path, &text, "must be a simple json path starting with .");
    }
}

fn validate_parts(parts: &CustomResourceSubresources, path: &Path, errors: &mut Errors) {
    let Some(scale) = &parts.scale else { return };
    let label = scale.label_selector_path.as_deref().unwrap_or_default();
    let paths: [(&str, &str, &[&str], &str); 3] = [
        ("specReplicasPath", &scale.spec_replicas_path, &[".spec."], "under .spec"),
        ("statusReplicasPath", &scale.status_replicas_path, &[".status."], "under .status"),
        ("labelSelectorPath", label, &[".spec.", ".status."], "under either .spec or .status"),
    ];
    for (field, text, prefixes, place) in paths {
        if field == "labelSelectorPath" && text.is_empty() {
            continue;
        }
        let path = path.child("scale").child(field);
        let mut found = Errors::default();
        validate_path(text, &path, &mut found);
        if found.is_empty() && !prefixes.iter().any(|prefix| text.starts_with(prefix)) {
            found.invalid(&path, &text, &format!("should be a json path {place}"));
        }
        errors.append(found);
    }
}

fn validate_selectable(
    fields: &[SelectableField],
    schema: Option<&structural::Schema>,
    path: &Path,
    errors: &mut Errors,
) {
    let mut seen = BTreeSet::new();
    for (index, field) in fields.iter().enumerate() {
        let (text, path) = (field.json_path.as_str(), path.index(index).child("jsonPath"));
        let names: Vec<&str> = text.trim_start_matches('.').split('.').collect();
        let found = schema.and_then(|schema| schema.at(&names));
        if text.is_empty() {
            errors.required(&path, "");
            continue;
        }
        let Some(found) = found else {
            errors.invalid(&path, &text, "is an invalid path: does not refer to a valid field");
            continue;
        };
        if names.first() == Some(&"metadata") {
            errors.invalid(&path, &text, "must not point to fields in metadata");
        }
        if !found.is_selectable() {
            let detail = "must point to a field of type string, boolean or integer. Enum string fields and strings with \
                          formats are allowed.";
            errors.invalid(&path, &text, detail);
        }
        if !seen.insert(names) {
            errors.duplicate(&path, &text);
        }
    }
    if seen.len() > MAX_SELECTABLE_FIELDS {
        errors.too_many(path, seen.len(), MAX_SELECTABLE_FIELDS);
    }
}

/// Objects may be stored in each of these versions, so none of them may be dropped.
fn validate_stored(definition: &CustomResourceDefinition, path: &Path, errors: &mut Errors) {
    let stored = &definition.status.stored_versions;
    if stored.is_empty() {
        // Kubernetes shows no list as null.
        return errors.invalid(path, &serde_json::Value::Null, "must have at least one stored version");
    }
    for version in definition.spec.versions.iter().filter(|version| version.storage) {
        if !stored.contains(&version.name) {
            errors.invalid(path, stored, &format!("must have the storage version {}", version.name));
        }
    }
    for (index, name) in stored.iter().enumerate() {
        if !definition.spec.versions.iter().any(|version| version.name == *name) {
            let detail = format!(
                "missing from spec.versions; {name} was previously a storage version, and must remain in spec.versions until \
                 a storage migration ensures no data remains persisted in {name} and removes {name} from \
                 status.storedVersions"
            );
            errors.invalid(&path.index(index), name, &detail);
        }
    }
}

const APPROVAL: &str = "api-approved.kubernetes.io";

/// Kubernetes: groups of its own need an approval.
fn validate_approval(definition: &CustomResourceDefinition, errors: &mut Errors) {
    let group = &definition.spec.group;
    let is_protected = ["k8s.io", "kubernetes.io"]
        .iter()
        .any(|own| group == own || group.strip_suffix(own).is_some_and(|rest| rest.ends_with('.')));
    if !is_protected {
        return;
    }
    let path = Path::new("metadata").child("annotations").key(APPROVAL);
    match definition.metadata.annotations.get(APPROVAL).map(String::as_str) {
        None | Some("") => {
            let detail = "protected groups must have approval annotation \"api-approved.kubernetes.io\", see \
                          https://github.com/kubernetes/enhancements/pull/1111";
            errors.required(&path, detail);
        }
        Some(text) if text.starts_with("unapproved") => {}
        Some(text) if text.contains("://") => {}
        Some(text) => {
            let detail = "protected groups must have approval annotation \"api-approved.kubernetes.io\" with either a URL or \
                          a reason starting with \"unapproved\", see https://github.com/kubernetes/enhancements/pull/1111";
            errors.invalid(&path, &text, detail);
        }
    }
}
