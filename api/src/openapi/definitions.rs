//! Messages as OpenAPI definitions: their names, and the types of their fields.

use std::collections::BTreeSet;

use squall_proto::schema::{Field, Kind as FieldKind, MESSAGES, Message, Shape};

use crate::kinds::Kind;

/// A group, version and kind, as the documents contain them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct GroupVersionKind {
    pub(super) group: &'static str,
    pub(super) version: &'static str,
    pub(super) kind: &'static str,
}

/// The type of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Type {
    /// A scalar: its type and its format, which may be empty.
    Scalar(&'static str, &'static str),
    /// A reference to the definition of this name.
    Reference(String),
    /// A list of values of a type.
    List(Box<Self>),
    /// A map from strings to values of a type.
    Map(Box<Self>),
}

/// A field of a definition.
#[derive(Debug, Clone)]
pub(super) struct Property {
    pub(super) name: &'static str,
    pub(super) value: Type,
    pub(super) field: &'static Field,
}

/// Returns Kubernetes' name of a message: `io.k8s.api.apps.v1.Deployment`.
pub(super) fn name_of(message: &Message) -> String {
    let (package, short) = message.name.rsplit_once('.').unwrap_or(("", message.name));
    match package {
        "meta.v1" => format!("io.k8s.apimachinery.pkg.apis.meta.v1.{short}"),
        "intstr" => format!("io.k8s.apimachinery.pkg.util.intstr.{short}"),
        "resource" => format!("io.k8s.apimachinery.pkg.api.resource.{short}"),
        "runtime" => format!("io.k8s.apimachinery.pkg.runtime.{short}"),
        package => format!("io.k8s.api.{package}.{short}"),
    }
}

/// Returns the kind that a message is the type of, if any.
pub(super) fn kinds_of(message: &Message) -> Option<GroupVersionKind> {
    let gvk = |kind: Kind, name| {
        let info = kind.info();
        GroupVersionKind { group: info.group, version: info.version, kind: name }
    };
    if let Some(kind) = Kind::ALL.iter().find(|kind| kind.info().message == message.name) {
        return Some(gvk(*kind, kind.info().kind));
    }
    if let Some(kind) = Kind::ALL.iter().find(|kind| message.name.strip_suffix("List") == Some(kind.info().message)) {
        return Some(gvk(*kind, message.short_name()));
    }
    match message.name {
        "autoscaling.v1.Scale" => Some(GroupVersionKind { group: "autoscaling", version: "v1", kind: "Scale" }),
        "core.v1.Binding" => Some(GroupVersionKind { group: "", version: "v1", kind: "Binding" }),
        "policy.v1.Eviction" => Some(GroupVersionKind { group: "policy", version: "v1", kind: "Eviction" }),
        "authentication.v1.TokenRequest" => {
            Some(GroupVersionKind { group: "authentication.k8s.io", version: "v1", kind: "TokenRequest" })
        }
        "meta.v1.Status" => Some(GroupVersionKind { group: "", version: "v1", kind: "Status" }),
        "meta.v1.DeleteOptions" => Some(GroupVersionKind { group: "", version: "v1", kind: "DeleteOptions" }),
        _ => None,
    }
}

/// Returns the type and the format of a message whose JSON is not an object of its fields.
pub(super) fn scalar_of(message: &Message) -> Option<(&'static str, &'static str)> {
    if !message.custom_json {
        return None;
    }
    Some(match message.name {
        "meta.v1.Time" | "meta.v1.MicroTime" => ("string", "date-time"),
        "intstr.IntOrString" => ("string", "int-or-string"),
        "resource.Quantity" => ("string", ""),
        _ => ("object", ""),
    })
}

/// Returns the fields of a message, including those of inlined messages.
pub(super) fn properties(message: &'static Message) -> Vec<Property> {
    let mut properties = Vec::new();
    for field in message.fields {
        match field.kind {
            FieldKind::Message(index) if field.json.is_empty() => properties.extend(self::properties(&MESSAGES[index])),
            _ => properties.push(Property { name: field.json, value: type_of(field), field }),
        }
    }
    properties
}

fn type_of(field: &Field) -> Type {
    let single = match field.kind {
        FieldKind::String => Type::Scalar("string", ""),
        FieldKind::Bool => Type::Scalar("boolean", ""),
        FieldKind::Int32 => Type::Scalar("integer", "int32"),
        FieldKind::Int64 => Type::Scalar("integer", "int64"),
        FieldKind::Double => Type::Scalar("number", "double"),
        FieldKind::Bytes => Type::Scalar("string", "byte"),
        FieldKind::Message(index) => Type::Reference(name_of(&MESSAGES[index])),
    };
    match field.shape {
        Shape::Single => single,
        Shape::List => Type::List(Box::new(single)),
        Shape::Map => Type::Map(Box::new(single)),
    }
}

/// Returns the messages that the kinds of a group (or of all groups) need, sorted by name.
pub(super) fn needed(group: Option<&str>) -> Vec<&'static Message> {
    let mut found = BTreeSet::new();
    let mut rest: Vec<&'static Message> = Vec::new();
    for kind in Kind::ALL.iter().filter(|kind| group.is_none_or(|group| kind.info().group == group)) {
        rest.extend(Message::find(kind.info().message));
        rest.extend(Message::find(&format!("{}List", kind.info().message)));
        rest.extend(kind.parts().iter().filter_map(|part| match part.kind {
            "Scale" => Message::find("autoscaling.v1.Scale"),
            "Binding" => Message::find("core.v1.Binding"),
            "Eviction" => Message::find("policy.v1.Eviction"),
            "TokenRequest" => Message::find("authentication.v1.TokenRequest"),
            _ => None,
        }));
    }
    rest.extend(["meta.v1.Status", "meta.v1.DeleteOptions"].into_iter().filter_map(Message::find));
    while let Some(message) = rest.pop() {
        if !found.insert(message.name) {
            continue;
        }
        rest.extend(message.fields.iter().filter_map(|field| match field.kind {
            FieldKind::Message(index) => Some(&MESSAGES[index]),
            _ => None,
        }));
    }
    found.into_iter().filter_map(Message::find).collect()
}

/// Returns the extensions that describe how patches and server-side apply merge a list or a map.
pub(super) fn merge_rules(field: &Field) -> Vec<(&'static str, serde_json::Value)> {
    let mut rules = Vec::new();
    if field.shape == Shape::List {
        let values_merge = field.patch_strategy.contains(&"merge") && field.merge_key.is_empty();
        let list_type = match field.map_keys {
            [] if values_merge => "set",
            [] => "atomic",
            keys => {
                rules.push(("x-kubernetes-list-map-keys", keys.into()));
                "map"
            }
        };
        rules.push(("x-kubernetes-list-type", list_type.into()));
    } else if field.atomic {
        rules.push(("x-kubernetes-map-type", "atomic".into()));
    }
    if !field.patch_strategy.is_empty() {
        rules.push(("x-kubernetes-patch-strategy", field.patch_strategy.join(",").into()));
    }
    if !field.merge_key.is_empty() {
        rules.push(("x-kubernetes-patch-merge-key", field.merge_key.into()));
    }
    rules
}
