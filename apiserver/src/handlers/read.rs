//! Gets, lists and watches.

use std::time::Duration;

use prost_types::Any;
use squall_api::apiextensions::v1::{CustomResourceDefinition, CustomResourceValidation, JsonSchemaProps};
use squall_api::error::Reason;
use squall_api::timing::later;
use squall_api::{Error, Kind, Object};
use tokio::time::Instant;

use super::Handlers;
use crate::admission;
use crate::authorization::Verb;
use crate::keys;
use crate::registry::{ListOptions, Listing, Selection, VersionOptions, WatchStart, decode_stored};
use crate::request::ResourceRef;
use crate::watch::Watcher;

/// Without a client timeout, a watch ends after this time or up to twice this time (Kubernetes: 30 to 60 minutes).
const WATCH_SECONDS: u64 = 1_800;

/// The parameters of a list.
#[derive(Debug, Clone, Default)]
pub struct ListQuery {
    /// `labelSelector`.
    pub labels: String,
    /// `fieldSelector`.
    pub fields: String,
    /// `resourceVersion`.
    pub version: String,
    /// `resourceVersionMatch`.
    pub matching: String,
    /// `limit`; 0 means no limit.
    pub limit: usize,
    /// `continue`.
    pub continue_token: String,
    /// `sendInitialEvents`, valid only for watches.
    pub send_initial_events: Option<bool>,
}

/// The parameters of a watch.
#[derive(Debug, Clone, Default)]
pub struct WatchQuery {
    /// Parameters that lists have, too.
    pub list: ListQuery,
    /// `allowWatchBookmarks`.
    pub bookmarks: bool,
    /// `timeoutSeconds`; 0 selects a default.
    pub timeout_seconds: u64,
}

impl ListQuery {
    fn versions(&self) -> VersionOptions<'_> {
        VersionOptions {
            version: &self.version,
            matching: &self.matching,
            continue_token: &self.continue_token,
            send_initial_events: self.send_initial_events,
        }
    }
}

impl Handlers {
    /// Returns an object, its status or its scale.
    pub async fn get(&self, resource: &ResourceRef, version: &str) -> Result<Any, Error> {
        self.authorize(Verb::Get, resource)?;
        match resource.kind {
            Kind::Lease => admission::restrict_node(&self.caller, resource, None)?,
            Kind::ConfigMap | Kind::Secret => self.restrict_reads(resource).await?,
            _ => {}
        }
        let found =
            self.reading(resource, |resource| async move { self.registry.get(&resource, version).await }).await?;
        admission::restrict_node_get(&self.caller, resource, &found)?;
        Ok(found)
    }

    /// A kubelet may read only what a pod bound to its node reads from (Kubernetes: the node authorizer).
    async fn restrict_reads(&self, resource: &ResourceRef) -> Result<(), Error> {
        let Some(node) = self.caller.node() else { return Ok(()) };
        let pods = ResourceRef::collection(Kind::Pod, &resource.namespace);
        let selection = Selection::parse(&pods, "", &format!("spec.nodeName={node}"))?;
        let query = ListQuery::default();
        let options = ListOptions { versions: query.versions(), limit: 0, max_bytes: usize::MAX };
        for entry in self.registry.list(&selection, &options).await?.entries {
            if matches!(decode_stored(Kind::Pod, &entry)?, Object::Pod(pod) if admission::reads_from(&pod, resource)) {
                return Ok(());
            }
        }
        Err(admission::no_relationship(node, resource))
    }

    /// Returns the definitions of the kinds that users have defined: one of them, or all without their schemas.
    pub fn kinds(&self, name: &str) -> Result<Vec<CustomResourceDefinition>, Error> {
        let established = self.registry.definitions().into_iter();
        let names = established.map(|definition| format!("{}.{}", definition.names().plural, definition.group()));
        let state = self.registry.member().view().state();
        let mut found = Vec::new();
        for known in names.filter(|known| name.is_empty() || known == name) {
            let Some(entry) = state.get(&keys::object(Kind::CustomResourceDefinition, "", &known)) else { continue };
            if let Object::CustomResourceDefinition(definition) = decode_stored(Kind::CustomResourceDefinition, entry)?
            {
                let definition =
                    CustomResourceDefinition { spec: definition.spec, ..CustomResourceDefinition::default() };
                found.push(if name.is_empty() { without_schemas(definition) } else { definition });
            }
        }
        Ok(found)
    }

    /// Lists a collection. The list is truncated when its objects exceed `max_bytes`.
    pub async fn list(&self, resource: &ResourceRef, query: &ListQuery, max_bytes: usize) -> Result<Listing, Error> {
        self.authorize(Verb::List, resource)?;
        admission::restrict_node_list(&self.caller, resource, &query.fields)?;
        let options = ListOptions { versions: query.versions(), limit: query.limit, max_bytes };
        let list = |resource: ResourceRef| async move {
            let selection = Selection::parse(&resource, &query.labels, &query.fields)?;
            self.registry.list(&selection, &options).await
        };
        self.reading(resource, list).await
    }

    /// Reads by the rules of the most recent definition of a custom kind. If they are replaced meanwhile, it is read again.
    async fn reading<T, R: Future<Output = Result<T, Error>>>(
        &self,
        resource: &ResourceRef,
        read: impl Fn(ResourceRef) -> R,
    ) -> Result<T, Error> {
        match read(resource.clone()).await {
            Err(error) if resource.version.is_some() && error.is(Reason::ServiceUnavailable) => {
                match self.registry.renewed(resource).await? {
                    Some(renewed) => read(renewed).await,
                    None => Err(error),
                }
            }
            other => other,
        }
    }

    /// Watches a collection.
    pub async fn watch(&self, resource: &ResourceRef, query: &WatchQuery) -> Result<Watcher, Error> {
        self.authorize(Verb::Watch, resource)?;
        admission::restrict_node_list(&self.caller, resource, &query.list.fields)?;
        let selection = Selection::parse(resource, &query.list.labels, &query.list.fields)?;
        let start = WatchStart::of(&query.list.versions())?;
        let seconds = match query.timeout_seconds {
            0 => fastrand::u64(WATCH_SECONDS..2 * WATCH_SECONDS),
            asked => asked.min(2 * WATCH_SECONDS),
        };
        let deadline = later(Instant::now(), Duration::from_secs(seconds));
        Watcher::start(self.registry.clone(), selection, start, query.bookmarks, deadline).await
    }
}

/// A client that only needs names and columns need not read every schema: any value fits these.
fn without_schemas(mut definition: CustomResourceDefinition) -> CustomResourceDefinition {
    for version in &mut definition.spec.versions {
        let anything = JsonSchemaProps {
            r#type: "object".to_owned(),
            x_kubernetes_preserve_unknown_fields: Some(true),
            ..JsonSchemaProps::default()
        };
        version.schema = Some(CustomResourceValidation { open_apiv3_schema: Some(anything) });
        version.selectable_fields.clear();
    }
    definition
}
