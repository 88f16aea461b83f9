//! The caches of the kinds that users have defined. They come and go with the definitions.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use squall_api::Kind;
use squall_api::apiextensions::v1::CustomResourceDefinition;
use squall_api::kinds::{CustomKind, CustomName, CustomObject, Meta, has_condition};
use squall_client::{Cache, Client, Error};
use tokio::sync::broadcast::error::RecvError;
use tokio::task::{AbortHandle, JoinSet};

use super::caches::{CachedKind, Caches};

/// How long a watch waits that an apiserver has refused: it may not know the kind yet.
const PAUSE: Duration = Duration::from_millis(500);

/// The caches by kind: of each kind, in one of its versions. Clones share them.
#[derive(Clone, Default)]
pub struct Customs(Arc<RwLock<BTreeMap<CustomKind, Cache<CustomObject>>>>);

impl Customs {
    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<CustomKind, Cache<CustomObject>>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<CustomKind, Cache<CustomObject>>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the cache of a kind, if it has one.
    #[must_use]
    pub fn cache(&self, kind: CustomKind) -> Option<Cache<CustomObject>> {
        self.read().get(&kind).cloned()
    }

    /// Returns the objects of a kind.
    #[must_use]
    pub fn all(&self, kind: CustomKind) -> Vec<Arc<CustomObject>> {
        self.cache(kind).map(|cache| cache.all()).unwrap_or_default()
    }

    /// Returns the kinds that are cached.
    #[must_use]
    pub fn kinds(&self) -> Vec<CustomKind> {
        self.read().keys().copied().collect()
    }

    /// Returns the cached kind of a manifest, whichever of its versions the manifest names.
    #[must_use]
    pub fn of_manifest(&self, api_version: &str, kind: &str) -> Option<CustomKind> {
        let group = api_version.split_once('/')?.0;
        self.kinds().into_iter().find(|known| known.info().group == group && known.info().kind == kind)
    }
}

/// Returns the kinds of a definition that can be used, one for each version.
pub fn served(definition: &CustomResourceDefinition) -> Vec<CustomKind> {
    let spec = &definition.spec;
    let kind = |version: &str| {
        CustomKind::of(&CustomName {
            group: spec.group.clone(),
            version: version.to_owned(),
            kind: spec.names.kind.clone(),
            plural: spec.names.plural.clone(),
            singular: spec.names.singular.clone(),
            is_namespaced: spec.scope == "Namespaced",
        })
    };
    // Without the service that converts, an apiserver serves the version in which objects are stored.
    let is_alone = spec.conversion.as_ref().is_some_and(|conversion| conversion.strategy == "Webhook");
    let usable = spec.versions.iter().filter(|version| version.served && (version.storage || !is_alone));
    usable.filter_map(|version| kind(&version.name)).collect()
}

impl Caches {
    /// Watches the objects of every kind that users have defined, for as long as it is defined. Never returns.
    pub(super) async fn follow_customs(&self, client: &Client) -> Error {
        let mut changes = self.changes();
        let mut tasks = JoinSet::new();
        let mut running: BTreeMap<CustomKind, AbortHandle> = BTreeMap::new();
        loop {
            self.adjust(client, &mut tasks, &mut running);
            loop {
                match changes.recv().await {
                    Ok(change) if change.kind == CachedKind::CustomResourceDefinition => break,
                    Ok(_) => {}
                    Err(RecvError::Lagged(_)) => break,
                    // The sender is in this very value.
                    Err(RecvError::Closed) => return std::future::pending().await,
                }
            }
        }
    }

    /// Starts the watches of new kinds, and ends those of kinds that are gone.
    fn adjust(&self, client: &Client, tasks: &mut JoinSet<()>, running: &mut BTreeMap<CustomKind, AbortHandle>) {
        let definitions = self.definitions.all();
        let established = definitions.iter().filter(|definition| has_condition(definition, "Established"));
        // A version that is watched already stays the one, as long as it is served.
        let wanted: Vec<CustomKind> = established
            .filter_map(|definition| {
                let kinds = served(definition);
                kinds.iter().find(|kind| running.contains_key(kind)).or(kinds.first()).copied()
            })
            .collect();
        let gone: Vec<CustomKind> = running.keys().filter(|kind| !wanted.contains(kind)).copied().collect();
        for kind in gone {
            if let Some(task) = running.remove(&kind) {
                task.abort();
            }
            let cache = self.customs.write().remove(&kind);
            for object in cache.iter().flat_map(Cache::all) {
                self.graph.forget(CachedKind::Custom(kind), object.meta());
            }
        }
        for kind in wanted {
            if let Entry::Vacant(place) = running.entry(kind) {
                let (cache, caches, client) = (Cache::new(), self.clone(), client.clone());
                self.customs.write().insert(kind, cache.clone());
                let task = async move {
                    loop {
                        let error = caches.follow_one(CachedKind::Custom(kind), &cache, &client).await;
                        tracing::debug!(kind = kind.info().kind, %error, "the watch of a custom kind was refused");
                        tokio::time::sleep(PAUSE).await;
                    }
                };
                place.insert(tasks.spawn(task));
            }
        }
        // Ended tasks take no room.
        while tasks.try_join_next().is_some() {}
    }

    /// Returns the cached kind of an owner.
    #[must_use]
    pub fn kind_of(&self, api_version: &str, kind: &str) -> Option<CachedKind> {
        let built_in = Kind::of_manifest(api_version, kind).and_then(CachedKind::of);
        built_in.or_else(|| self.customs.of_manifest(api_version, kind).map(CachedKind::Custom))
    }

    /// Returns every cached kind.
    #[must_use]
    pub fn kinds(&self) -> Vec<CachedKind> {
        CachedKind::ALL.iter().copied().chain(self.customs.kinds().into_iter().map(CachedKind::Custom)).collect()
    }
}
