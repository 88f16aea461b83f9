//! The caches all controllers read, kept warm on a standby too.

use std::sync::Arc;

use squall_api::apps::v1::{Deployment, ReplicaSet};
use squall_api::coordination::v1::Lease;
use squall_api::core::v1::{
    ConfigMap, Endpoints, Namespace, Node, Pod, ReplicationController, ResourceQuota, Secret, Service, ServiceAccount,
};
use squall_api::discovery::v1::EndpointSlice;
use squall_api::metav1::v1::ObjectMeta;
use squall_api::policy::v1::PodDisruptionBudget;
use squall_api::{Kind, Object, Resource};
use squall_client::{Cache, Change, Client, Error, Selection};
use tokio::sync::broadcast;

use futures_util::future::{BoxFuture, FutureExt, select_all};

use super::graph::Graph;

/// That an object changed: what its metadata was and is.
#[derive(Debug, Clone)]
pub struct ObjectChange {
    /// Its kind.
    pub kind: Kind,
    /// Its metadata before; `None` if it is new.
    pub old: Option<Arc<ObjectMeta>>,
    /// Its metadata after; `None` if it is gone.
    pub new: Option<Arc<ObjectMeta>>,
}

impl ObjectChange {
    /// The metadata of the object as last known.
    #[must_use]
    pub fn latest(&self) -> Option<&ObjectMeta> {
        self.new.as_deref().or(self.old.as_deref())
    }
}

macro_rules! caches {
    (@cache Pod) => { Cache::grouped(|pod: &Pod| &pod.spec.node_name) };
    (@cache $kind:ident) => { Cache::new() };
    ($($field:ident: $kind:ident),* $(,)?) => {
        /// A cache of each kind that a controller reads.
        #[derive(Clone)]
        #[expect(missing_docs, reason = "each is the cache of the kind it is named for")]
        pub struct Caches {
            $(pub $field: Cache<$kind>,)*
            /// Who owns whom.
            pub graph: Graph,
            changes: broadcast::Sender<ObjectChange>,
        }

        impl Caches {
            /// Empty caches.
            #[must_use]
            pub fn new() -> Self {
                Self { $($field: caches!(@cache $kind),)* graph: Graph::default(), changes: broadcast::Sender::new(CHANGES) }
            }

            /// Follows all collections. Ends only with an error that no repetition can mend.
            pub async fn follow(&self, client: &Client) -> Error {
                let all: Vec<BoxFuture<'_, Error>> = vec![$(self.follow_one(&self.$field, client).boxed()),*];
                select_all(all).await.0
            }

            /// Waits until every cache is complete.
            pub async fn complete(&self) {
                self.wait_for_all(1).await;
            }

            /// Waits until every cache shows everything up to a revision.
            pub async fn wait_for_all(&self, revision: u64) {
                $(self.$field.wait_for(revision).await;)*
            }

            /// Waits until the cache of a kind shows everything up to a revision.
            pub async fn wait_for(&self, kind: Kind, revision: u64) {
                match kind {
                    $(Kind::$kind => self.$field.wait_for(revision).await,)*
                    // No controller reads these: there is nothing to wait for.
                    _ => {}
                }
            }

            /// Up to which revision the cache of a kind shows everything.
            #[must_use]
            pub fn reached(&self, kind: Kind) -> u64 {
                match kind {
                    $(Kind::$kind => self.$field.reached_revision(),)*
                    _ => 0,
                }
            }

            /// Every object of a kind, as the untyped objects that the garbage collector works on.
            #[must_use]
            pub fn objects(&self, kind: Kind) -> Vec<Object> {
                match kind {
                    $(Kind::$kind => self.$field.all().iter().map(|object| Object::from((**object).clone())).collect(),)*
                    _ => Vec::new(),
                }
            }

            /// The metadata of every object of a kind.
            #[must_use]
            pub fn metadata(&self, kind: Kind) -> Vec<ObjectMeta> {
                match kind {
                    $(Kind::$kind => self.$field.all().iter().map(|object| object.metadata.clone()).collect(),)*
                    _ => Vec::new(),
                }
            }

            /// What the metadata of one object says.
            pub fn meta<T>(&self, kind: Kind, namespace: &str, name: &str, read: impl FnOnce(&ObjectMeta) -> T) -> Option<T> {
                match kind {
                    $(Kind::$kind => self.$field.get(namespace, name).map(|object| read(&object.metadata)),)*
                    _ => None,
                }
            }

            /// One object.
            #[must_use]
            pub fn find(&self, kind: Kind, namespace: &str, name: &str) -> Option<Object> {
                match kind {
                    $(Kind::$kind => self.$field.get(namespace, name).map(|object| Object::from((*object).clone())),)*
                    _ => None,
                }
            }

            /// The kinds that are cached.
            pub const KINDS: &'static [Kind] = &[$(Kind::$kind),*];
        }
    };
}

/// How many changes a slow controller may be behind before it has to look at everything.
const CHANGES: usize = 4_096;

caches! {
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
}

impl Caches {
    /// What changes from now on.
    #[must_use]
    pub fn changes(&self) -> broadcast::Receiver<ObjectChange> {
        self.changes.subscribe()
    }

    async fn follow_one<K>(&self, cache: &Cache<K>, client: &Client) -> Error
    where
        K: Resource + TryFrom<Object> + Send + Sync,
    {
        let meta = |object: Option<Arc<K>>| object.map(|object| Arc::new(object.meta().clone()));
        let tell = |change: Change<K>| {
            self.graph.note(
                K::KIND,
                change.old.as_ref().map(|old| old.meta()),
                change.new.as_ref().map(|new| new.meta()),
            );
            let change = ObjectChange { kind: K::KIND, old: meta(change.old), new: meta(change.new) };
            // Without a controller nobody listens.
            drop(self.changes.send(change));
        };
        cache.follow(client.clone(), Selection::all(K::KIND), tell).await
    }
}

impl Default for Caches {
    fn default() -> Self {
        Self::new()
    }
}
