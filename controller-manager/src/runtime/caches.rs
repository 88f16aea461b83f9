//! The caches that all controllers read. A standby keeps them warm too.

use std::sync::Arc;

use squall_api::apiextensions::v1::CustomResourceDefinition;
use squall_api::apps::v1::{Deployment, ReplicaSet};
use squall_api::coordination::v1::Lease;
use squall_api::core::v1::{
    ConfigMap, Endpoints, Namespace, Node, Pod, ReplicationController, ResourceQuota, Secret, Service, ServiceAccount,
};
use squall_api::discovery::v1::EndpointSlice;
use squall_api::kinds::{CustomKind, Meta};
use squall_api::metav1::v1::ObjectMeta;
use squall_api::policy::v1::PodDisruptionBudget;
use squall_api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use squall_api::{Kind, KindInfo, Object};
use squall_client::{Cache, Change, Client, Error, Selection};
use tokio::sync::broadcast;

use futures_util::future::{BoxFuture, FutureExt, select_all};

use super::customs::Customs;
use super::graph::Graph;

/// A change of an object, as its metadata before and after.
#[derive(Debug, Clone)]
pub struct ObjectChange {
    /// Kind of the object.
    pub kind: CachedKind,
    /// Metadata before the change; `None` if the object is new.
    pub old: Option<Arc<ObjectMeta>>,
    /// Metadata after the change; `None` if the object was deleted.
    pub new: Option<Arc<ObjectMeta>>,
}

impl ObjectChange {
    /// Returns the last known metadata of the object.
    #[must_use]
    pub fn latest(&self) -> Option<&ObjectMeta> {
        self.new.as_deref().or(self.old.as_deref())
    }
}

macro_rules! caches {
    (@cache Pod) => { Cache::grouped(|pod: &Pod| &pod.spec.node_name) };
    (@cache $kind:ident) => { Cache::new() };
    (cached: { $($field:ident: $kind:ident),* $(,)? }, uncached: { $($uncached:ident),* $(,)? } $(,)?) => {
        /// A kind that has a cache. A decision can read no other kind.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[expect(missing_docs, reason = "the names are Kubernetes' own")]
        pub enum CachedKind {
            $($kind,)*
            /// A kind that users have defined. It has a cache while its definition is established.
            Custom(CustomKind),
        }

        impl CachedKind {
            /// Every built-in kind that is cached.
            pub const ALL: &'static [Self] = &[$(Self::$kind),*];

            /// Returns `None` for the kinds that have no cache. A new kind has to be listed below as one or the other.
            #[must_use]
            pub const fn of(kind: Kind) -> Option<Self> {
                match kind {
                    $(Kind::$kind => Some(Self::$kind),)*
                    $(Kind::$uncached => None,)*
                    Kind::Custom(kind) => Some(Self::Custom(kind)),
                }
            }

            /// Returns the facts of the kind.
            #[must_use]
            pub fn info(self) -> &'static KindInfo {
                self.kind().info()
            }

            /// Returns the kind.
            #[must_use]
            pub const fn kind(self) -> Kind {
                match self {
                    $(Self::$kind => Kind::$kind,)*
                    Self::Custom(kind) => Kind::Custom(kind),
                }
            }
        }

        /// A cache of each kind that a controller reads.
        #[derive(Clone)]
        #[expect(missing_docs, reason = "each is the cache of the kind it is named for")]
        pub struct Caches {
            $(pub $field: Cache<$kind>,)*
            /// The caches of the kinds that users have defined.
            pub customs: Customs,
            /// The ownership graph of all cached objects.
            pub graph: Graph,
            changes: broadcast::Sender<ObjectChange>,
        }

        impl Caches {
            /// Creates empty caches.
            #[must_use]
            pub fn new() -> Self {
                Self { $($field: caches!(@cache $kind),)* customs: Customs::default(), graph: Graph::default(), changes: broadcast::Sender::new(CHANGES) }
            }

            /// Watches all collections. Returns only on an error that a retry cannot fix.
            pub async fn follow(&self, client: &Client) -> Error {
                let mut all: Vec<BoxFuture<'_, Error>> =
                    vec![$(self.follow_one(CachedKind::$kind, &self.$field, client).boxed()),*];
                all.push(self.follow_customs(client).boxed());
                select_all(all).await.0
            }

            /// Waits until every cache has its first complete list.
            pub async fn complete(&self) {
                self.wait_for_all(1).await;
            }

            /// Waits until every cache has reached a revision.
            pub async fn wait_for_all(&self, revision: u64) {
                $(self.$field.wait_for(revision).await;)*
            }

            /// Waits until the cache of a kind has reached a revision.
            pub async fn wait_for(&self, kind: CachedKind, revision: u64) {
                match kind {
                    $(CachedKind::$kind => self.$field.wait_for(revision).await,)*
                    CachedKind::Custom(kind) => {
                        if let Some(cache) = self.customs.cache(kind) {
                            cache.wait_for(revision).await;
                        }
                    }
                }
            }

            /// Returns the revision that the cache of a kind has reached.
            #[must_use]
            pub fn reached(&self, kind: CachedKind) -> u64 {
                match kind {
                    $(CachedKind::$kind => self.$field.reached_revision(),)*
                    CachedKind::Custom(kind) => self.customs.cache(kind).map_or(0, |cache| cache.reached_revision()),
                }
            }

            /// Returns every object of a kind, untyped.
            #[must_use]
            pub fn objects(&self, kind: CachedKind) -> Vec<Object> {
                match kind {
                    $(CachedKind::$kind => self.$field.all().iter().map(|object| Object::from((**object).clone())).collect(),)*
                    CachedKind::Custom(kind) => {
                        self.customs.all(kind).iter().map(|object| Object::from((**object).clone())).collect()
                    }
                }
            }

            /// The metadata of every object of a kind.
            #[must_use]
            pub fn metadata(&self, kind: CachedKind) -> Vec<ObjectMeta> {
                match kind {
                    $(CachedKind::$kind => self.$field.all().iter().map(|object| object.metadata.clone()).collect(),)*
                    CachedKind::Custom(kind) => {
                        self.customs.all(kind).iter().map(|object| object.meta().clone()).collect()
                    }
                }
            }

            /// Calls `read` with the metadata of one object; `None` if it is not cached.
            pub fn meta<T>(&self, kind: CachedKind, namespace: &str, name: &str, read: impl FnOnce(&ObjectMeta) -> T) -> Option<T> {
                match kind {
                    $(CachedKind::$kind => self.$field.get(namespace, name).map(|object| read(&object.metadata)),)*
                    CachedKind::Custom(kind) => {
                        self.customs.cache(kind)?.get(namespace, name).map(|object| read(object.meta()))
                    }
                }
            }

            /// Returns one object, untyped; `None` if it is not cached.
            #[must_use]
            pub fn find(&self, kind: CachedKind, namespace: &str, name: &str) -> Option<Object> {
                match kind {
                    $(CachedKind::$kind => self.$field.get(namespace, name).map(|object| Object::from((*object).clone())),)*
                    CachedKind::Custom(kind) => {
                        self.customs.cache(kind)?.get(namespace, name).map(|object| Object::from((*object).clone()))
                    }
                }
            }
        }
    };
}

/// Number of changes that a slow controller may lag behind before it has to reconcile all keys.
const CHANGES: usize = 4_096;

caches! {
    cached: {
    deployments: Deployment,
    replica_sets: ReplicaSet,
    replication_controllers: ReplicationController,
    pods: Pod,
    services: Service,
    endpoint_slices: EndpointSlice,
    nodes: Node,
    namespaces: Namespace,
    leases: Lease,
    config_maps: ConfigMap,
    secrets: Secret,
    service_accounts: ServiceAccount,
    endpoints: Endpoints,
    disruption_budgets: PodDisruptionBudget,
    resource_quotas: ResourceQuota,
    roles: Role,
    role_bindings: RoleBinding,
    cluster_roles: ClusterRole,
    cluster_role_bindings: ClusterRoleBinding,
    definitions: CustomResourceDefinition,
    },
    // Their namespace deletes them all at once; no decision reads them.
    uncached: { Event },
}

impl Caches {
    /// Subscribes to the changes from now on.
    #[must_use]
    pub fn changes(&self) -> broadcast::Receiver<ObjectChange> {
        self.changes.subscribe()
    }

    pub(super) async fn follow_one<K>(&self, kind: CachedKind, cache: &Cache<K>, client: &Client) -> Error
    where
        K: Meta + TryFrom<Object, Error = Kind> + Send + Sync,
    {
        let meta = |object: Option<Arc<K>>| object.map(|object| Arc::new(object.meta().clone()));
        let tell = |change: Change<K>| {
            self.graph.note(kind, change.old.as_ref().map(|old| old.meta()), change.new.as_ref().map(|new| new.meta()));
            let change = ObjectChange { kind, old: meta(change.old), new: meta(change.new) };
            // On a standby no controller is subscribed.
            drop(self.changes.send(change));
        };
        cache.follow(client.clone(), Selection::all(kind.kind()), tell).await
    }
}

impl Default for Caches {
    fn default() -> Self {
        Self::new()
    }
}
