//! Typed access to the objects of one kind.

use std::marker::PhantomData;

use prost_types::Any;
use squall_api::core::v1::{Binding, ObjectReference};
use squall_api::{Object, Resource};
use squall_proto::TYPE_PREFIX;
use squall_proto::squall::api::v1 as proto;

use crate::client::Client;
use crate::error::Error;
use crate::resource::ResourceRef;

/// Access to the objects of one kind, in one namespace or in all.
#[derive(Clone)]
pub struct Api<K> {
    client: Client,
    namespace: String,
    kind: PhantomData<fn() -> K>,
}

/// The options of a delete.
#[derive(Debug, Clone, Default)]
pub struct DeleteParams {
    /// The grace period in seconds; `None` for the object's own.
    pub grace_period: Option<i64>,
    /// "Background", "Foreground", "Orphan", or empty for the default of the kind.
    pub propagation: String,
    /// Deletes only an object with this uid; empty for any.
    pub uid: String,
}

impl<K: Resource> Api<K>
where
    Object: From<K>,
    K: TryFrom<Object>,
{
    /// Creates access to a namespace; empty for all namespaces and for cluster-scoped kinds.
    #[must_use]
    pub fn new(client: Client, namespace: &str) -> Self {
        Self { client, namespace: namespace.to_owned(), kind: PhantomData }
    }

    fn object(&self, name: &str) -> ResourceRef {
        ResourceRef::object(K::KIND, &self.namespace, name)
    }

    /// Reads the current state of an object.
    pub async fn get(&self, name: &str) -> Result<K, Error> {
        let any = self.client.get(&self.object(name), "").await?;
        typed(Object::from_any(&any)?)
    }

    /// Reads an object from the local state of any apiserver: cheaper, but possibly slightly stale.
    pub async fn get_cached(&self, name: &str) -> Result<K, Error> {
        let any = self.client.get(&self.object(name), "0").await?;
        typed(Object::from_any(&any)?)
    }

    /// Lists the objects that match the label and field selectors.
    pub async fn list(&self, labels: &str, fields: &str) -> Result<Vec<K>, Error> {
        let (_, items) =
            self.client.list(&ResourceRef::collection(K::KIND, &self.namespace), labels, fields, "").await?;
        items.into_iter().map(typed).collect()
    }

    /// Creates an object and returns it as stored.
    pub async fn create(&self, object: K) -> Result<K, Error> {
        let resource = ResourceRef::collection(K::KIND, &self.namespace);
        typed(self.client.create(&resource, manifest(&object.into()), proto::WriteOptions::default()).await?.object()?)
    }

    /// Replaces an existing object.
    pub async fn update(&self, object: K) -> Result<K, Error> {
        let resource = self.object(&object.meta().name);
        typed(self.client.update(&resource, manifest(&object.into()), proto::WriteOptions::default()).await?.object()?)
    }

    /// Replaces the status of an object.
    pub async fn update_status(&self, object: K) -> Result<K, Error> {
        let resource = self.object(&object.meta().name).part("status");
        typed(self.client.update(&resource, manifest(&object.into()), proto::WriteOptions::default()).await?.object()?)
    }

    /// Applies a merge patch.
    pub async fn patch(&self, name: &str, patch: &serde_json::Value) -> Result<K, Error> {
        typed(self.client.patch(&self.object(name), patch, proto::WriteOptions::default()).await?.object()?)
    }

    /// Deletes an object. Returns its new state, or its last state if it is gone.
    pub async fn delete(&self, name: &str, how: DeleteParams) -> Result<K, Error> {
        let request = proto::DeleteRequest {
            grace_period_seconds: how.grace_period,
            propagation_policy: how.propagation,
            precondition_uid: how.uid,
            ..Default::default()
        };
        typed(self.client.delete(&self.object(name), request).await?.object()?)
    }

    /// Binds a pod to a node.
    pub async fn bind(&self, name: &str, node: &str) -> Result<K, Error> {
        let target = ObjectReference { kind: "Node".to_owned(), name: node.to_owned(), ..ObjectReference::default() };
        let binding = Binding { target, ..Binding::default() };
        let any =
            Any { type_url: format!("{TYPE_PREFIX}core.v1.Binding"), value: prost::Message::encode_to_vec(&binding) };
        let manifest = proto::Manifest { encoding: Some(proto::manifest::Encoding::Object(any)) };
        let resource = self.object(name).part("binding");
        typed(self.client.create(&resource, manifest, proto::WriteOptions::default()).await?.object()?)
    }
}

/// Encodes an object for a request.
#[must_use]
pub fn manifest(object: &Object) -> proto::Manifest {
    proto::Manifest { encoding: Some(proto::manifest::Encoding::Object(object.to_any())) }
}

fn typed<K: Resource + TryFrom<Object>>(object: Object) -> Result<K, Error> {
    let kind = object.kind();
    K::try_from(object).map_err(|_| {
        Error::Api(squall_api::Error::internal(format!("asked for a {}, got a {}", K::INFO.kind, kind.info().kind)))
    })
}
