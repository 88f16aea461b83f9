//! The containers of a node, by id.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use squall_daemon::carried::{carrier, refused};
use squall_proto::squall::cri::v1 as cri;
use tokio::sync::{broadcast, watch};
use tokio::time::Instant;
use tonic::Status;
use uuid::Uuid;

use super::app::{self, Exit};
use super::log::Log;
use super::order::Order;
use super::program::{self, Chosen, Program};
use crate::catalogue::{Catalogue, Image};

/// Number of events that a kubelet may lag behind before it has to read the state again.
const EVENTS: usize = 1_024;
/// The reported size of each image.
const IMAGE_BYTES: i64 = 50_000_000;
/// The exit code of a container that was killed.
const KILLED: i32 = 137;

/// The containers and the pulled images of a node. Clones share one state.
#[derive(Clone)]
pub struct Containers {
    inner: Arc<Inner>,
}

struct Inner {
    catalogue: Catalogue,
    state: Mutex<State>,
    /// Held while an image is pulled.
    pulling: tokio::sync::Mutex<()>,
    events: broadcast::Sender<cri::Container>,
}

#[derive(Default)]
struct State {
    containers: BTreeMap<String, Running>,
    images: BTreeSet<String>,
}

struct Running {
    info: cri::Container,
    orders: watch::Sender<Order>,
    log: Arc<Log>,
    task: Option<tokio::task::AbortHandle>,
}

impl Containers {
    /// Creates a state without containers or pulled images.
    pub fn new(catalogue: Catalogue) -> Self {
        let inner = Inner {
            catalogue,
            state: Mutex::default(),
            pulling: tokio::sync::Mutex::default(),
            events: broadcast::Sender::new(EVENTS),
        };
        Self { inner: Arc::new(inner) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns all containers, including ended ones, and all pulled images.
    pub fn snapshot(&self) -> cri::StateReply {
        let state = self.state();
        cri::StateReply {
            containers: state.containers.values().map(|running| running.info.clone()).collect(),
            images: state.images.iter().cloned().collect(),
        }
    }

    /// Subscribes to the containers that start or end from now on.
    pub fn events(&self) -> broadcast::Receiver<cri::Container> {
        self.inner.events.subscribe()
    }

    fn image(&self, name: &str) -> Result<Image, Status> {
        self.inner.catalogue.find(name).ok_or_else(|| {
            Status::not_found(format!(
                "failed to pull and unpack image {name:?}: failed to resolve reference {name:?}: not found: the image catalogue \
                 does not have it"
            ))
        })
    }

    /// Returns the id of an image, and whether it is present.
    pub fn image_status(&self, name: &str) -> cri::ImageStatusReply {
        cri::ImageStatusReply { present: self.state().images.contains(name), image_id: image_id(name) }
    }

    /// Waits until an image is present. Kubernetes: pulls run one at a time; a present image is not fetched again.
    pub async fn pull(&self, name: &str) -> Result<cri::PullImageReply, Status> {
        let image = self.image(name)?;
        let _turn = self.inner.pulling.lock().await;
        let start = Instant::now();
        if !self.state().images.contains(name) {
            tokio::time::sleep(image.pull_time).await;
            self.state().images.insert(name.to_owned());
        }
        let pull_nanos = i64::try_from(start.elapsed().as_nanos()).unwrap_or(i64::MAX);
        Ok(cri::PullImageReply { image_id: image_id(name), size_bytes: IMAGE_BYTES, pull_nanos })
    }

    /// Runs a command in a container. The image defines the result.
    pub fn exec(&self, request: &cri::ExecRequest) -> Result<cri::ExecReply, Status> {
        let info = {
            let state = self.state();
            let running = state.containers.get(&request.id).filter(|running| running.info.exit.is_none());
            running.ok_or_else(|| Status::failed_precondition("container not running"))?.info.clone()
        };
        let age = Duration::from_nanos(u64::try_from(nanos_now().saturating_sub(info.started_at)).unwrap_or(0));
        let (exit_code, output) = self.image(&info.image)?.exec(&request.command.join(" "), age);
        Ok(cri::ExecReply { exit_code, output })
    }

    /// Starts a container. It listens later, after the start time of its image. A repeated request for an attempt returns
    /// the existing container.
    pub fn start(&self, request: cri::StartContainerRequest) -> Result<cri::StartContainerReply, Status> {
        let image = self.image(&request.image)?;
        let same = |info: &cri::Container| {
            info.pod_uid == request.pod_uid && info.name == request.name && info.attempt == request.attempt
        };
        if let Some(running) = self.state().containers.values().find(|running| same(&running.info)) {
            return Ok(cri::StartContainerReply { container: Some(running.info.clone()), warnings: Vec::new() });
        }
        let ip = request
            .pod_ip
            .parse()
            .map_err(|_| Status::invalid_argument(format!("{:?} is not an address", request.pod_ip)))?;
        let chosen = program::choose(&image, &request);
        let warnings = warnings(&chosen, ip);
        let second = Duration::from_nanos(u64::try_from(request.second_nanos).unwrap_or(0));
        let info = cri::Container {
            id: Uuid::new_v4().simple().to_string(),
            pod_uid: request.pod_uid,
            pod_namespace: request.pod_namespace,
            pod_name: request.pod_name.clone(),
            pod_ip: request.pod_ip,
            name: request.name,
            image: request.image,
            attempt: request.attempt,
            started_at: nanos_now(),
            exit: None,
        };
        let (orders, receiver) = watch::channel(Order::Run);
        let log = Arc::new(Log::new());
        let running = Running { info: info.clone(), orders, log: log.clone(), task: None };
        self.state().containers.insert(info.id.clone(), running);
        let (containers, id, pod) = (self.clone(), info.id.clone(), request.pod_name);
        let container =
            app::Container { image, program: chosen.program, pod, ip, second, environment: request.environment, log };
        let task = tokio::spawn(async move {
            let exit = app::run(container, receiver).await;
            containers.ended(&id, exit);
        });
        if let Some(running) = self.state().containers.get_mut(&info.id) {
            running.task = Some(task.abort_handle());
        }
        self.tell(&info);
        Ok(cri::StartContainerReply { container: Some(info), warnings })
    }

    /// Asks a container to end, and kills it after the grace period.
    pub fn stop(&self, id: &str, grace: Duration) {
        if let Some(running) = self.state().containers.get(id) {
            running.orders.send_replace(Order::End);
        }
        let (containers, id) = (self.clone(), id.to_owned());
        tokio::spawn(async move {
            tokio::time::sleep(grace).await;
            containers.kill(&id);
        });
    }

    fn kill(&self, id: &str) {
        let task = self.state().containers.get_mut(id).and_then(|running| running.task.take());
        if let Some(task) = task {
            task.abort();
            self.ended(id, Exit { code: KILLED });
        }
    }

    /// Kills the remaining containers of a pod, and forgets the pod.
    pub fn remove_pod(&self, uid: &str) {
        let of_pod: Vec<String> = self
            .state()
            .containers
            .values()
            .filter(|running| running.info.pod_uid == uid)
            .map(|running| running.info.id.clone())
            .collect();
        for id in of_pod {
            self.kill(&id);
            self.state().containers.remove(&id);
        }
    }

    fn ended(&self, id: &str, exit: Exit) {
        let info = {
            let mut state = self.state();
            let Some(running) = state.containers.get_mut(id).filter(|running| running.info.exit.is_none()) else {
                return;
            };
            let reason = if exit.code == 0 { "Completed" } else { "Error" };
            running.info.exit =
                Some(cri::Exit { code: exit.code, finished_at: nanos_now(), reason: reason.to_owned() });
            running.task = None;
            running.log.write(format!("ended with exit code {}", exit.code));
            running.log.end();
            running.info.clone()
        };
        self.tell(&info);
    }

    /// Returns the log of a container.
    pub fn log(&self, id: &str) -> Result<Arc<Log>, Status> {
        let unknown = || Status::not_found(format!("there is no container {id:?}"));
        self.state().containers.get(id).map(|running| running.log.clone()).ok_or_else(unknown)
    }

    fn tell(&self, info: &cri::Container) {
        // Without a kubelet there is no subscriber.
        drop(self.inner.events.send(info.clone()));
    }
}

/// Says what is not as the pod of a container asks for.
fn warnings(chosen: &Chosen, ip: IpAddr) -> Vec<String> {
    let ignored = chosen
        .ignored
        .as_ref()
        .map(|command| format!("The command {command:?} has no effect: simulated containers run as their image does"));
    let ports = match &chosen.program {
        Program::Server(server) | Program::Script(_, Some(server)) => server.ports.as_slice(),
        _ => &[],
    };
    let carried = ports.iter().filter_map(|port| {
        let address = SocketAddr::new(ip, *port);
        // Without a listener, the port is free again at once.
        let bound = app::open(address).and_then(|socket| socket.local_addr()).ok()?;
        match carrier(address) {
            _ if bound == address => None,
            Some(carrier) if bound == carrier => Some(refused(address, carrier)),
            _ => Some(format!("Port {port} is taken: another one carries it, which the container's log names")),
        }
    });
    ignored.into_iter().chain(carried).collect()
}

fn nanos_now() -> i64 {
    i64::try_from(Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX)
}

fn image_id(name: &str) -> String {
    let repository = name.split(':').next().unwrap_or(name);
    format!("docker.io/{repository}@sha256:{:064x}", fnv(name))
}

/// Hashes a name to a stable number; it need not be unique.
fn fnv(text: &str) -> u128 {
    text.bytes().fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d, |hash, byte| {
        (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
    })
}
