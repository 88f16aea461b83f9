//! The list of kinds, and an object of any of them.

use std::sync::Arc;

use jiff::Timestamp;
use prost::Message;
use prost_types::Any;
use serde_json::Value;

use squall_proto::TYPE_PREFIX;
use squall_proto::apiextensions::v1::CustomResourceDefinition;
use squall_proto::apps::v1::{Deployment, ReplicaSet};
use squall_proto::coordination::v1::Lease;
use squall_proto::core::v1::{
    ConfigMap, Endpoints, Event, Namespace, Node, Pod, ReplicationController, ResourceQuota, Secret, Service,
    ServiceAccount,
};
use squall_proto::discovery::v1::EndpointSlice;
use squall_proto::meta::v1::ObjectMeta;
use squall_proto::policy::v1::PodDisruptionBudget;
use squall_proto::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};

use super::custom_kind::{CustomKind, CustomName};
use super::custom_object::CustomObject;
use super::definition::Version;
use super::{KindInfo, Meta, Resource, StatusUpdate};
use crate::field::Errors;
use crate::table::{Column, narrow};
use crate::warnings::Warnings;

/// The columns of a custom kind that defines none.
const CUSTOM_COLUMNS: &[Column] = &[narrow("Name"), narrow("Age")];
/// The prefix of the type URLs of custom kinds, after that of all.
const CUSTOM_TYPE: &str = "custom/";

macro_rules! kinds {
    ($($kind:ident),* $(,)?) => {
        /// A kind of object.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[expect(missing_docs, reason = "the names are Kubernetes' own")]
        pub enum Kind { $($kind,)* Custom(CustomKind) }

        impl Kind {
            /// Every kind that is built in.
            pub const ALL: &'static [Self] = &[$(Self::$kind),*];

            /// Returns the fixed properties of the kind.
            #[must_use]
            pub const fn info(self) -> &'static KindInfo {
                match self { $(Self::$kind => &<$kind as Resource>::INFO,)* Self::Custom(kind) => kind.info() }
            }

            /// Returns the columns of the kind's table. A version of a custom kind may define others.
            #[must_use]
            pub const fn columns(self) -> &'static [Column] {
                match self { $(Self::$kind => <$kind as Resource>::COLUMNS,)* Self::Custom(_) => CUSTOM_COLUMNS }
            }

            pub(crate) fn decode_object(self, bytes: &[u8]) -> Result<Object, String> {
                match self {
                    $(Self::$kind => match <$kind as Message>::decode(bytes) {
                        Ok(object) => Ok(Object::$kind(Box::new(object))),
                        Err(error) => Err(error.to_string()),
                    },)*
                    Self::Custom(kind) => CustomObject::decode(kind, bytes).map(Object::from),
                }
            }

            fn object_from_json(self, json: Value) -> Result<Object, serde_json::Error> {
                match self {
                    $(Self::$kind => serde_json::from_value::<$kind>(json).map(|o| Object::$kind(Box::new(o))),)*
                    Self::Custom(kind) => CustomObject::from_json(kind, json).map(Object::from),
                }
            }
        }

        /// An object of any kind.
        #[derive(Debug, Clone, PartialEq)]
        #[expect(missing_docs, reason = "the names are Kubernetes' own")]
        pub enum Object { $($kind(Box<$kind>),)* Custom(Box<CustomObject>) }

        macro_rules! each {
            ($self:expr, $object:ident => $body:expr) => { match $self { $(Object::$kind($object) => $body,)* Object::Custom($object) => $body } };
        }

        macro_rules! each_pair {
            ($self:expr, $old:expr, ($new_object:ident, $old_object:ident) => $body:expr, else $other:expr) => {
                match ($self, $old) {
                    $((Object::$kind($new_object), Object::$kind($old_object)) => $body,)*
                    (Object::Custom($new_object), Object::Custom($old_object)) => $body,
                    _ => $other,
                }
            };
        }

        $(
            impl OfKind for $kind {
                fn own_kind(&self) -> Kind { Kind::$kind }
                fn validate_replacement(&self, old: &Self, errors: &mut Errors) {
                    self.validate(errors);
                    self.validate_update(old, errors);
                }
            }

            impl Meta for $kind {
                fn meta(&self) -> &ObjectMeta { &self.metadata }
                fn meta_mut(&mut self) -> &mut ObjectMeta { &mut self.metadata }
            }

            impl From<$kind> for Object {
                fn from(object: $kind) -> Self { Self::$kind(Box::new(object)) }
            }

            impl TryFrom<Object> for $kind {
                type Error = Kind;
                /// Returns the object if it is of this kind, otherwise its actual kind.
                fn try_from(object: Object) -> Result<Self, Kind> {
                    match object { Object::$kind(object) => Ok(*object), other => Err(other.kind()) }
                }
            }
        )*
    };
}

kinds! {
    Deployment, ReplicaSet, ReplicationController, Pod, Service, Endpoints, EndpointSlice, Node, Namespace, Event, Lease,
    ConfigMap, Secret, ServiceAccount, ResourceQuota, PodDisruptionBudget, Role, RoleBinding, ClusterRole,
    ClusterRoleBinding, CustomResourceDefinition,
}

impl TryFrom<Object> for CustomObject {
    type Error = Kind;
    /// Returns the object if it is of a custom kind, otherwise its actual kind.
    fn try_from(object: Object) -> Result<Self, Kind> {
        match object {
            Object::Custom(object) => Ok(*object),
            other => Err(other.kind()),
        }
    }
}

/// The properties that built-in and custom objects have in common besides their rules.
trait OfKind {
    fn own_kind(&self) -> Kind;
    fn validate_replacement(&self, old: &Self, errors: &mut Errors);
}

impl OfKind for CustomObject {
    fn own_kind(&self) -> Kind {
        Kind::Custom(self.kind())
    }

    fn validate_replacement(&self, old: &Self, errors: &mut Errors) {
        self.validate_change(old, errors);
    }
}

impl From<CustomObject> for Object {
    fn from(object: CustomObject) -> Self {
        Self::Custom(Box::new(object))
    }
}

const NAMESPACED: &str = "Namespaced";
const CLUSTER: &str = "Cluster";

/// Whether an object's JSON contains its kind; an item of a list does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Typed {
    /// It contains `kind` and `apiVersion`.
    Yes,
    /// It does not contain them.
    No,
}

/// Returns the text of a JSON object with `kind` and `apiVersion` before its fields.
#[must_use]
pub fn with_type(kind: &str, api_version: &str, fields: &[u8]) -> Vec<u8> {
    let head = format!("{{\"kind\":{kind:?},\"apiVersion\":{api_version:?}");
    let rest = fields.strip_prefix(b"{").unwrap_or(fields);
    let comma = if rest == b"}" { "" } else { "," };
    [head.as_bytes(), comma.as_bytes(), rest].concat()
}

impl Kind {
    /// Returns the custom kind of this name; `None` if this process knows too many.
    #[must_use]
    pub fn of_custom(name: &CustomName) -> Option<Self> {
        CustomKind::of(name).map(Self::Custom)
    }

    /// Whether users have defined the kind.
    #[must_use]
    pub const fn is_custom(self) -> bool {
        matches!(self, Self::Custom(_))
    }

    /// Returns the kind with this plural in this group.
    #[must_use]
    pub fn find(group: &str, plural: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.info().group == group && kind.info().plural == plural)
    }

    /// Returns the kind of a manifest.
    #[must_use]
    pub fn of_manifest(api_version: &str, name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.info().kind == name && kind.info().api_version() == api_version)
    }

    /// Returns the kind that a user means by `deploy`, `deployments`, `Deployment`, `deployments.apps` or
    /// `deployment.v1.apps`.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        let word = word.to_ascii_lowercase();
        let (name, group) = word.split_once('.').map_or((word.as_str(), None), |(name, group)| (name, Some(group)));
        Self::ALL.iter().copied().find(|kind| {
            let info = kind.info();
            let versioned = format!("{}.{}", info.version, info.group);
            let in_group = group.is_none_or(|group| group == info.group || group == versioned.trim_end_matches('.'));
            let named =
                name == info.plural || name == info.singular || (group.is_none() && info.short_names.contains(&name));
            in_group && named
        })
    }

    /// Returns the type URL for an `Any`. That of a custom kind names the kind.
    #[must_use]
    pub fn type_url(self) -> String {
        let info = self.info();
        let Self::Custom(_) = self else { return format!("{TYPE_PREFIX}{}", info.message) };
        let KindInfo { group, version, kind, plural, singular, .. } = info;
        let scope = if info.is_namespaced() { NAMESPACED } else { CLUSTER };
        format!("{TYPE_PREFIX}{CUSTOM_TYPE}{group}/{version}/{kind}/{plural}/{singular}/{scope}")
    }

    /// Returns the kind for the type URL of an `Any`. Only for URLs from a server: a custom kind is remembered for good.
    #[must_use]
    pub fn of_type_url(type_url: &str) -> Option<Self> {
        let message = type_url.strip_prefix(TYPE_PREFIX)?;
        if let Some(custom) = message.strip_prefix(CUSTOM_TYPE) {
            let parts: Vec<&str> = custom.split('/').collect();
            let [group, version, kind, plural, singular, scope @ (NAMESPACED | CLUSTER)] = parts.as_slice() else {
                return None;
            };
            let [group, version, kind, plural, singular] =
                [group, version, kind, plural, singular].map(|part| (*part).to_owned());
            let is_namespaced = *scope == NAMESPACED;
            return Self::of_custom(&CustomName { group, version, kind, plural, singular, is_namespaced });
        }
        Self::ALL.iter().copied().find(|kind| kind.info().message == message)
    }
}

impl Object {
    /// Encodes the object as an `Any`.
    #[must_use]
    pub fn to_any(&self) -> Any {
        Any { type_url: self.kind().type_url(), value: self.encode() }
    }

    /// Converts JSON, with or without `apiVersion` and `kind`. Ignores unknown fields, which [`crate::decode`] reports.
    pub fn from_json(kind: Kind, json: Value) -> Result<Self, serde_json::Error> {
        kind.object_from_json(json)
    }

    /// Converts the object to JSON, with `apiVersion` and `kind`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let info = self.kind().info();
        let mut json = each!(self, object => serde_json::to_value(object)).unwrap_or_default();
        if let Value::Object(fields) = &mut json {
            fields.insert("apiVersion".to_owned(), info.api_version().into());
            fields.insert("kind".to_owned(), info.kind.into());
        }
        json
    }

    /// Formats the object as JSON text, in the order of its fields, with or without `kind` and `apiVersion` before
    /// them.
    #[must_use]
    pub fn to_json_text(&self, typed: Typed) -> Vec<u8> {
        let info = self.kind().info();
        let fields = each!(self, object => serde_json::to_vec(object)).unwrap_or_default();
        match typed {
            Typed::No => fields,
            Typed::Yes => with_type(info.kind, &info.api_version(), &fields),
        }
    }

    /// Encodes the object to protobuf, in a buffer of exactly the right size.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        each!(self, object => object.encode_to_vec())
    }

    /// Returns the kind of the object.
    #[must_use]
    pub fn kind(&self) -> Kind {
        each!(self, object => object.own_kind())
    }

    /// Gives an object of a custom kind the rules of a version of it. Others have theirs.
    pub fn follow(&mut self, version: Option<&Arc<Version>>) {
        if let (Self::Custom(object), Some(version)) = (self, version) {
            object.follow(version);
        }
    }

    /// Returns the rules of an object of a custom kind, if they are known.
    #[must_use]
    pub fn version(&self) -> Option<&Arc<Version>> {
        match self {
            Self::Custom(object) => object.version(),
            _ => None,
        }
    }

    /// Returns the metadata of the object.
    #[must_use]
    pub fn meta(&self) -> &ObjectMeta {
        each!(self, object => object.meta())
    }

    /// Returns the metadata of the object for changes.
    pub fn meta_mut(&mut self) -> &mut ObjectMeta {
        each!(self, object => object.meta_mut())
    }

    /// See [`Resource::set_defaults`].
    pub fn set_defaults(&mut self) {
        each!(self, object => object.set_defaults());
    }

    /// See [`Resource::validate`].
    pub fn validate(&self, errors: &mut Errors) {
        each!(self, object => object.validate(errors));
    }

    /// Validates an object that replaces an old one of the same kind. See [`Resource::validate_update`].
    pub fn validate_update(&self, old: &Self, errors: &mut Errors) {
        each_pair!(self, old, (new, old) => new.validate_replacement(old, errors), else {});
    }

    /// Validates an object whose status or metadata replaces that of an old one of the same kind.
    pub fn validate_part(&self, old: &Self, errors: &mut Errors) {
        match (self, old) {
            (Self::Custom(new), Self::Custom(old)) => new.validate_replacement(old, errors),
            (new, _) => new.validate(errors),
        }
    }

    /// Returns the warnings about a valid object that is new, or that replaces an old one of the same kind. See
    /// [`Resource::warn`].
    #[must_use]
    pub fn warnings(&self, old: Option<&Self>) -> Vec<String> {
        let mut warnings = Warnings::default();
        match old {
            None => each!(self, object => object.warn(None, &mut warnings)),
            Some(old) => each_pair!(self, old, (new, old) => new.warn(Some(old), &mut warnings), else {}),
        }
        warnings.into_texts()
    }

    /// See [`Resource::prepare_create`].
    pub fn prepare_create(&mut self) {
        each!(self, object => object.prepare_create());
    }

    /// See [`Resource::prepare_update`]; `old` must be of the same kind.
    pub fn prepare_update(&mut self, old: &Self) {
        each_pair!(self, old, (new, old) => new.prepare_update(old), else {});
    }

    /// See [`Resource::prepare_status_update`]; `old` must be of the same kind.
    pub fn prepare_status_update(&mut self, old: &Self) -> StatusUpdate {
        each_pair!(self, old, (new, old) => new.prepare_status_update(old), else StatusUpdate::Unsupported)
    }

    /// See [`Resource::selectable`]; also supports the fields that every kind has.
    #[must_use]
    pub fn selectable(&self, field: &str) -> Option<String> {
        match field {
            "metadata.name" => Some(self.meta().name.clone()),
            "metadata.namespace" => Some(self.meta().namespace.clone()),
            _ => each!(self, object => object.selectable(field)),
        }
    }

    /// See [`Resource::replicas_mut`].
    pub fn replicas_mut(&mut self) -> Option<&mut Option<i32>> {
        each!(self, object => object.replicas_mut())
    }

    /// See [`Resource::row`].
    #[must_use]
    pub fn row(&self, now: Timestamp) -> Vec<String> {
        each!(self, object => object.row(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_message_and_a_full_row() {
        for kind in Kind::ALL {
            let info = kind.info();
            assert!(squall_proto::schema::Message::find(info.message).is_some(), "{}", info.message);
            let object = Object::decode(*kind, &[]).unwrap();
            assert_eq!(object.kind(), *kind);
            assert_eq!(object.row(Timestamp::UNIX_EPOCH).len(), kind.columns().len(), "{}", info.kind);
            assert_eq!(Kind::of_type_url(&kind.type_url()), Some(*kind));
        }
    }

    #[test]
    fn json_text_begins_with_the_kind() {
        let text = |typed| String::from_utf8(Object::decode(Kind::Lease, &[]).unwrap().to_json_text(typed)).unwrap();
        assert!(text(Typed::Yes).starts_with(r#"{"kind":"Lease","apiVersion":"coordination.k8s.io/v1","metadata":{"#));
        assert!(text(Typed::No).starts_with(r#"{"metadata":{"#));
        assert_eq!(with_type("A", "v1", b"{}"), br#"{"kind":"A","apiVersion":"v1"}"#);
    }

    #[test]
    fn users_name_kinds_in_many_ways() {
        for word in ["deploy", "deployment", "Deployments", "deployments.apps", "deployment.v1.apps"] {
            assert_eq!(Kind::of_word(word), Some(Kind::Deployment), "{word}");
        }
        for word in ["", "foo", "pods.apps", "deploy.apps"] {
            assert_eq!(Kind::of_word(word), None, "{word}");
        }
    }
}
