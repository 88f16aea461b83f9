//! Reads the objects that an answer is based on.

use squall_api::apps::v1::ReplicaSet;
use squall_api::coordination::v1::Lease;
use squall_api::core::v1::{Event, Node, Pod};
use squall_api::{Object, meta, revision};
use squall_client::{Api, Client, Error};

/// The namespace of the Leases of nodes.
const NODE_LEASES: &str = "kube-node-lease";

/// An object's related objects.
#[derive(Debug, Default)]
pub struct Facts {
    /// The ReplicaSets of a Deployment.
    pub sets: Vec<ReplicaSet>,
    /// The pods that an object controls, or those on a node.
    pub pods: Vec<Pod>,
    /// The events of all pods in the namespace; if the object is a node, those of all nodes.
    pub events: Vec<Event>,
    /// Any node, for the timing of the cluster; if the object is a node, the node itself.
    pub node: Option<Node>,
    /// The Lease of a node.
    pub lease: Option<Lease>,
}

impl Facts {
    /// Fetches the related objects.
    pub async fn gather(client: &Client, object: &Object) -> Result<Self, Error> {
        let meta = object.meta();
        let mut facts = Self::default();
        let nodes: Vec<Node> = Api::new(client.clone(), "").list("", "").await?;
        let owned_by = |uid: &str, pod: &Pod| meta::controller_of(&pod.metadata).is_some_and(|owner| owner.uid == uid);
        match object {
            Object::Node(node) => {
                let fields = format!("spec.nodeName={}", meta.name);
                facts.pods = Api::new(client.clone(), "").list("", &fields).await?;
                facts.lease = match Api::<Lease>::new(client.clone(), NODE_LEASES).get(&meta.name).await {
                    Err(error) if error.is_not_found() => None,
                    other => Some(other?),
                };
                facts.node = Some(node.as_ref().clone());
                facts.events = Api::new(client.clone(), "default").list("", "involvedObject.kind=Node").await?;
                return Ok(facts);
            }
            // Its status says everything.
            Object::Namespace(_) => return Ok(facts),
            Object::Pod(pod) => facts.pods = vec![pod.as_ref().clone()],
            Object::Deployment(deployment) => {
                let mut sets: Vec<ReplicaSet> = Api::new(client.clone(), &meta.namespace).list("", "").await?;
                sets.retain(|set| revision::is_owned(set, deployment));
                let pods: Vec<Pod> = Api::new(client.clone(), &meta.namespace).list("", "").await?;
                facts.pods =
                    pods.into_iter().filter(|pod| sets.iter().any(|set| owned_by(&set.metadata.uid, pod))).collect();
                facts.sets = sets;
            }
            _ => {
                let pods: Vec<Pod> = Api::new(client.clone(), &meta.namespace).list("", "").await?;
                facts.pods = pods.into_iter().filter(|pod| owned_by(&meta.uid, pod)).collect();
            }
        }
        facts.node = nodes.into_iter().next();
        facts.events = Api::new(client.clone(), &meta.namespace).list("", "involvedObject.kind=Pod").await?;
        Ok(facts)
    }

    /// The pods of a ReplicaSet.
    pub fn pods_of<'a>(&'a self, set: &'a ReplicaSet) -> impl Iterator<Item = &'a Pod> {
        let owned = |pod: &&Pod| meta::controller_of(&pod.metadata).is_some_and(|owner| owner.uid == set.metadata.uid);
        self.pods.iter().filter(owned)
    }

    /// The newest event of an object with one of these reasons.
    pub fn last_event(&self, uid: &str, reasons: &[&str]) -> Option<&Event> {
        let matching = |event: &&Event| event.involved_object.uid == uid && reasons.contains(&event.reason.as_str());
        self.events.iter().filter(matching).max_by_key(|event| event.last_timestamp.timestamp())
    }
}
