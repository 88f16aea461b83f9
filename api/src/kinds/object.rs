//! The list of kinds, and an object of any of them.

use jiff::Timestamp;
use prost::Message;
use prost_types::Any;
use serde_json::Value;

use squall_proto::TYPE_PREFIX;
use squall_proto::apps::v1::{Deployment, ReplicaSet};
use squall_proto::coordination::v1::Lease;
use squall_proto::core::v1::{
    ConfigMap, Endpoints, Event, Namespace, Node, Pod, ReplicationController, ResourceQuota, Secret, Service,
    ServiceAccount,
};
use squall_proto::discovery::v1::EndpointSlice;
use squall_proto::meta::v1::ObjectMeta;
use squall_proto::policy::v1::PodDisruptionBudget;

use super::{KindInfo, Meta, Resource, StatusUpdate};
use crate::error::Error;
use crate::field::Errors;
use crate::table::Column;

macro_rules! kinds {
    ($($kind:ident),* $(,)?) => {
        /// A kind of object.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[expect(missing_docs, reason = "the names are Kubernetes' own")]
        pub enum Kind { $($kind),* }

        impl Kind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$kind),*];

            /// What is fixed about the kind.
            #[must_use]
            pub const fn info(self) -> &'static KindInfo {
                match self { $(Self::$kind => &<$kind as Resource>::INFO),* }
            }

            /// The columns of its table.
            #[must_use]
            pub const fn columns(self) -> &'static [Column] {
                match self { $(Self::$kind => <$kind as Resource>::COLUMNS),* }
            }

            fn decode_object(self, bytes: &[u8]) -> Result<Object, prost::DecodeError> {
                match self { $(Self::$kind => <$kind as Message>::decode(bytes).map(|o| Object::$kind(Box::new(o)))),* }
            }

            fn object_from_json(self, json: Value) -> Result<Object, serde_json::Error> {
                match self { $(Self::$kind => serde_json::from_value::<$kind>(json).map(|o| Object::$kind(Box::new(o)))),* }
            }
        }

        /// An object of any kind.
        #[derive(Debug, Clone, PartialEq)]
        #[expect(missing_docs, reason = "the names are Kubernetes' own")]
        pub enum Object { $($kind(Box<$kind>)),* }

        macro_rules! each {
            ($self:expr, $object:ident => $body:expr) => { match $self { $(Object::$kind($object) => $body),* } };
        }

        macro_rules! each_pair {
            ($self:expr, $old:expr, ($new_object:ident, $old_object:ident) => $body:expr, else $other:expr) => {
                match ($self, $old) { $((Object::$kind($new_object), Object::$kind($old_object)) => $body,)* _ => $other }
            };
        }

        $(
            impl Meta for $kind {
                fn meta(&self) -> &ObjectMeta { &self.metadata }
                fn meta_mut(&mut self) -> &mut ObjectMeta { &mut self.metadata }
            }

            impl From<$kind> for Object {
                fn from(object: $kind) -> Self { Self::$kind(Box::new(object)) }
            }

            impl TryFrom<Object> for $kind {
                type Error = Kind;
                /// The object, if it is of this kind; else the kind that it is of.
                fn try_from(object: Object) -> Result<Self, Kind> {
                    match object { Object::$kind(object) => Ok(*object), other => Err(other.kind()) }
                }
            }
        )*
    };
}

kinds! {
    Deployment, ReplicaSet, ReplicationController, Pod, Service, Endpoints, EndpointSlice, Node, Namespace, Event, Lease,
    ConfigMap, Secret, ServiceAccount, ResourceQuota, PodDisruptionBudget,
}

/// Whether an object's JSON says of which kind it is; an item of a list does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Typed {
    /// It says so.
    Yes,
    /// It does not.
    No,
}

/// The text of a JSON object with `kind` and `apiVersion` before its fields.
#[must_use]
pub fn with_type(kind: &str, api_version: &str, fields: &[u8]) -> Vec<u8> {
    let head = format!("{{\"kind\":{kind:?},\"apiVersion\":{api_version:?}");
    let rest = fields.strip_prefix(b"{").unwrap_or(fields);
    let comma = if rest == b"}" { "" } else { "," };
    [head.as_bytes(), comma.as_bytes(), rest].concat()
}

impl Kind {
    /// The kind with this plural in this group.
    #[must_use]
    pub fn find(group: &str, plural: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.info().group == group && kind.info().plural == plural)
    }

    /// The kind of a manifest.
    #[must_use]
    pub fn of_manifest(api_version: &str, name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.info().kind == name && kind.info().api_version() == api_version)
    }

    /// The kind a user means: `deploy`, `deployments`, `Deployment`, `deployments.apps`, `deployment.v1.apps`.
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

    /// The type in an `Any`.
    #[must_use]
    pub fn type_url(self) -> String {
        format!("{TYPE_PREFIX}{}", self.info().message)
    }

    /// The kind of an `Any`.
    #[must_use]
    pub fn of_type_url(type_url: &str) -> Option<Self> {
        let message = type_url.strip_prefix(TYPE_PREFIX)?;
        Self::ALL.iter().copied().find(|kind| kind.info().message == message)
    }
}

impl Object {
    /// The object in these protobuf bytes.
    pub fn decode(kind: Kind, bytes: &[u8]) -> Result<Self, Error> {
        kind.decode_object(bytes)
            .map_err(|error| Error::bad_request(format!("{} cannot be decoded: {error}", kind.info().kind)))
    }

    /// The object in an `Any`.
    pub fn from_any(any: &Any) -> Result<Self, Error> {
        let kind = Kind::of_type_url(&any.type_url)
            .ok_or_else(|| Error::bad_request(format!("no kind has the type {:?}", any.type_url)))?;
        Self::decode(kind, &any.value)
    }

    /// The object as an `Any`.
    #[must_use]
    pub fn to_any(&self) -> Any {
        Any { type_url: self.kind().type_url(), value: self.encode() }
    }

    /// The object in JSON without `apiVersion` and `kind`. Unknown fields are not seen: [`crate::decode`] finds them.
    pub fn from_json(kind: Kind, json: Value) -> Result<Self, serde_json::Error> {
        kind.object_from_json(json)
    }

    /// The object as JSON, with `apiVersion` and `kind`.
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

    /// The object as JSON text, in the order of its fields, with or without `kind` and `apiVersion` before them.
    #[must_use]
    pub fn to_json_text(&self, typed: Typed) -> Vec<u8> {
        let info = self.kind().info();
        let fields = each!(self, object => serde_json::to_vec(object)).unwrap_or_default();
        match typed {
            Typed::No => fields,
            Typed::Yes => with_type(info.kind, &info.api_version(), &fields),
        }
    }

    /// The protobuf bytes, in a buffer of exactly their size.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        each!(self, object => object.encode_to_vec())
    }

    /// The kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        fn of<K: Resource>(_: &K) -> Kind {
            K::KIND
        }
        each!(self, object => of(object.as_ref()))
    }

    /// The metadata.
    #[must_use]
    pub fn meta(&self) -> &ObjectMeta {
        each!(self, object => object.meta())
    }

    /// The metadata, to change.
    pub fn meta_mut(&mut self) -> &mut ObjectMeta {
        each!(self, object => object.meta_mut())
    }

    /// As [`Resource::set_defaults`].
    pub fn set_defaults(&mut self) {
        each!(self, object => object.set_defaults());
    }

    /// As [`Resource::validate`].
    pub fn validate(&self, errors: &mut Errors) {
        each!(self, object => object.validate(errors));
    }

    /// As [`Resource::validate_update`]; `old` must be of the same kind.
    pub fn validate_update(&self, old: &Self, errors: &mut Errors) {
        each_pair!(self, old, (new, old) => new.validate_update(old, errors), else {});
    }

    /// As [`Resource::prepare_create`].
    pub fn prepare_create(&mut self) {
        each!(self, object => object.prepare_create());
    }

    /// As [`Resource::prepare_update`]; `old` must be of the same kind.
    pub fn prepare_update(&mut self, old: &Self) {
        each_pair!(self, old, (new, old) => new.prepare_update(old), else {});
    }

    /// As [`Resource::prepare_status_update`]; `old` must be of the same kind.
    pub fn prepare_status_update(&mut self, old: &Self) -> StatusUpdate {
        each_pair!(self, old, (new, old) => new.prepare_status_update(old), else StatusUpdate::Unsupported)
    }

    /// As [`Resource::selectable`], with the fields that every kind has.
    #[must_use]
    pub fn selectable(&self, field: &str) -> Option<String> {
        match field {
            "metadata.name" => Some(self.meta().name.clone()),
            "metadata.namespace" => Some(self.meta().namespace.clone()),
            _ => each!(self, object => object.selectable(field)),
        }
    }

    /// As [`Resource::replicas_mut`].
    pub fn replicas_mut(&mut self) -> Option<&mut Option<i32>> {
        each!(self, object => object.replicas_mut())
    }

    /// As [`Resource::row`].
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
