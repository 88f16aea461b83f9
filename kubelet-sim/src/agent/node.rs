//! The node itself: its registration, heartbeat and status.

use std::convert::Infallible;
use std::time::Duration;

use jiff::Timestamp;
use squall_api::coordination::v1::Lease;
use squall_api::core::v1::{Node, NodeAddress, NodeCondition, NodeSystemInfo};
use squall_api::happening::{EventType, Happening, ObjectId};
use squall_api::metav1::v1::{MicroTime, Time};
use squall_api::quantity::{self, Milli};
use squall_api::resource::Quantity;
use squall_api::timing;
use squall_client::events::Recorder;
use squall_client::{Api, Client, Error, Reason};
use squall_daemon::Timing;

use super::addresses::PodRange;
use super::service;

/// The capacity of a simulated node.
const CAPACITY: [(&str, &str); 4] =
    [("cpu", "32"), ("memory", "128Gi"), ("ephemeral-storage", "200Gi"), ("pods", "110")];
/// The conditions of a healthy node, in Kubernetes' words.
const CONDITIONS: [(&str, &str, &str, &str); 4] = [
    ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
];
const RETRY: Duration = Duration::from_millis(50);

/// Returns the processors and the memory of a node.
pub fn capacity() -> (Milli, Milli) {
    let amount = |resource| {
        let (_, amount) = CAPACITY.into_iter().find(|(name, _)| *name == resource)?;
        quantity::parse(&Quantity { string: amount.to_owned() })
    };
    (amount("cpu").unwrap_or_default(), amount("memory").unwrap_or_default())
}

/// Keeps a node up to date.
pub struct NodeAgent {
    pub name: String,
    pub range: PodRange,
    pub client: Client,
    pub recorder: Recorder,
    pub timing: Timing,
}

impl NodeAgent {
    /// Registers the node and reports on it for ever.
    pub async fn run(&self) -> Infallible {
        self.tell(&self.new_node(), "Starting", "Starting kubelet.".to_owned());
        self.register().await;
        let mut lease: Option<Lease> = None;
        let mut reported = tokio::time::Instant::now();
        loop {
            let renewed = self.renew(lease).await;
            lease = renewed.inspect_err(|error| tracing::debug!(%error, "could not renew the lease")).ok();
            tokio::time::sleep(self.timing.node_renew).await;
            // If the Lease was not renewed or the node is marked as not ready, report the status early.
            if reported.elapsed() >= self.timing.node_status || lease.is_none() || !self.is_ready().await {
                match self.report().await {
                    Ok(()) => reported = tokio::time::Instant::now(),
                    Err(error) => tracing::debug!(%error, "could not report the node's state"),
                }
            }
        }
    }

    async fn register(&self) {
        while let Err(error) = self.report().await {
            tracing::debug!(%error, "could not register the node yet");
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn is_ready(&self) -> bool {
        let nodes: Api<Node> = Api::new(self.client.clone(), "");
        nodes.get_cached(&self.name).await.is_ok_and(|node| ready(&node))
    }

    /// Writes the node's status, and creates the node first if it does not exist.
    async fn report(&self) -> Result<(), Error> {
        let nodes: Api<Node> = Api::new(self.client.clone(), "");
        let now = squall_faults::now();
        let node = match nodes.get(&self.name).await {
            Ok(node) => node,
            Err(error) if error.is(Reason::NotFound) => nodes.create(self.new_node()).await?,
            Err(error) => return Err(error),
        };
        let was_ready = ready(&node);
        let node = nodes.update_status(self.with_state(node, now)).await?;
        if !was_ready {
            self.tell_states(&node);
        }
        Ok(())
    }

    /// Records events about the node's conditions, as a kubelet does when they change.
    fn tell_states(&self, node: &Node) {
        let states = ["NodeHasSufficientMemory", "NodeHasNoDiskPressure", "NodeHasSufficientPID", "NodeReady"];
        for reason in states {
            let message = format!("Node {} status is now: {reason}", self.name);
            self.tell(node, reason, message);
        }
    }

    fn tell(&self, node: &Node, reason: &'static str, message: String) {
        let object = ObjectId::of(node);
        self.recorder.record(Happening { object, event_type: EventType::Normal, reason, message });
    }

    fn new_node(&self) -> Node {
        let mut node = Node::default();
        node.metadata.name.clone_from(&self.name);
        for (key, value) in [
            ("kubernetes.io/hostname", self.name.as_str()),
            ("kubernetes.io/os", std::env::consts::OS),
            ("kubernetes.io/arch", "amd64"),
        ] {
            node.metadata.labels.insert(key.to_owned(), value.to_owned());
        }
        // Clients that count the seconds in objects need to know how long a second of this cluster is.
        node.metadata.annotations.insert(timing::DIVISOR.to_owned(), self.timing.divisor.to_string());
        node
    }

    fn with_state(&self, mut node: Node, now: Timestamp) -> Node {
        let amounts = CAPACITY.map(|(resource, amount)| (resource.to_owned(), Quantity { string: amount.to_owned() }));
        let status = &mut node.status;
        status.capacity = amounts.clone().into();
        status.allocatable = amounts.into();
        status.conditions = CONDITIONS
            .map(|(kind, value, reason, message)| {
                let before = status.conditions.iter().find(|before| before.r#type == kind && before.status == value);
                NodeCondition {
                    r#type: kind.to_owned(),
                    status: value.to_owned(),
                    reason: reason.to_owned(),
                    message: message.to_owned(),
                    last_heartbeat_time: Time::from_timestamp(now),
                    last_transition_time: before
                        .map_or_else(|| Time::from_timestamp(now), |before| before.last_transition_time),
                }
            })
            .into();
        let address = |kind: &str, address: String| NodeAddress { r#type: kind.to_owned(), address };
        status.addresses =
            vec![address("InternalIP", self.range.node().to_string()), address("Hostname", self.name.clone())];
        status.daemon_endpoints.kubelet_endpoint.port = service::PORT.into();
        status.node_info = NodeSystemInfo {
            kubelet_version: format!("v{}-squall", env!("CARGO_PKG_VERSION")),
            container_runtime_version: format!("squall://{}", env!("CARGO_PKG_VERSION")),
            operating_system: std::env::consts::OS.to_owned(),
            architecture: "amd64".to_owned(),
            os_image: "Squall (simulated)".to_owned(),
            ..NodeSystemInfo::default()
        };
        node
    }

    /// Renews the last written Lease, or else the stored one, or creates a new one.
    async fn renew(&self, last: Option<Lease>) -> Result<Lease, Error> {
        // A renewal that takes much longer comes too late; the deadline leaves time to ask another apiserver.
        let client = self.client.with_deadline(self.timing.node_renew.saturating_mul(2));
        let leases: Api<Lease> = Api::new(client, "kube-node-lease");
        let now = MicroTime::from_timestamp(squall_faults::now());
        let current = match last {
            Some(lease) => Some(lease),
            None => match leases.get(&self.name).await {
                Ok(lease) => Some(lease),
                Err(error) if error.is(Reason::NotFound) => None,
                Err(error) => return Err(error),
            },
        };
        let mut lease = current.clone().unwrap_or_default();
        lease.metadata.name.clone_from(&self.name);
        lease.metadata.namespace = "kube-node-lease".to_owned();
        lease.spec.holder_identity = Some(self.name.clone());
        lease.spec.lease_duration_seconds =
            Some(i32::try_from(self.timing.node_lease.as_secs()).unwrap_or(i32::MAX).max(1));
        lease.spec.renew_time = Some(now);
        if current.is_some() { leases.update(lease).await } else { leases.create(lease).await }
    }
}

fn ready(node: &Node) -> bool {
    node.status.conditions.iter().any(|condition| condition.r#type == "Ready" && condition.status == "True")
}
