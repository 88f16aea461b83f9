//! Gets, lists and watches.

use std::time::Duration;

use prost_types::Any;
use squall_api::timing::later;
use squall_api::{Error, Kind, Object};
use tokio::time::Instant;

use super::Handlers;
use crate::admission;
use crate::authorization::Verb;
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
        let found = self.registry.get(resource, version).await?;
        admission::restrict_node_get(&self.caller, resource, &found)?;
        Ok(found)
    }

    /// A kubelet may read only what a pod bound to its node reads from (Kubernetes: the node authorizer).
    async fn restrict_reads(&self, resource: &ResourceRef) -> Result<(), Error> {
        let Some(node) = self.caller.node() else { return Ok(()) };
        let pods = ResourceRef { kind: Kind::Pod, name: String::new(), ..resource.clone() };
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

    /// Lists a collection. The list is truncated when its objects exceed `max_bytes`.
    pub async fn list(&self, resource: &ResourceRef, query: &ListQuery, max_bytes: usize) -> Result<Listing, Error> {
        self.authorize(Verb::List, resource)?;
        admission::restrict_node_list(&self.caller, resource, &query.fields)?;
        let selection = Selection::parse(resource, &query.labels, &query.fields)?;
        let options = ListOptions { versions: query.versions(), limit: query.limit, max_bytes };
        self.registry.list(&selection, &options).await
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
