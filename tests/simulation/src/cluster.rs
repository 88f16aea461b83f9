//! Starts three members, each on its own machine.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use squall_apiserver::admission::Range;
use squall_apiserver::folder::{DataFolder, Origin};
use squall_apiserver::raft::{self, LogLimits};
use squall_apiserver::server::{self, Setup};
use squall_client::Client;
use tokio::sync::watch;
use turmoil::Sim;

use crate::disk::SimulatedDisk;
use crate::network::{self, PORT, SimulatedNetwork};

/// The number of members.
const MEMBERS: usize = 3;
/// The launcher's values.
const HEARTBEAT: Duration = Duration::from_millis(100);
const ELECTION: Duration = Duration::from_millis(250);
/// Small limits, so that a short run reaches states that otherwise take hours: snapshots, and members that need them.
const LOG: LogLimits = LogLimits {
    segment_bytes: 20_000,
    snapshot_bytes: 30_000,
    kept_entries: 20,
    kept_bytes: 8_000,
    held_bytes: 4_000,
    history_bytes: 10_000,
};

/// A machine with a member on it.
#[derive(Clone)]
pub struct Machine {
    /// The name of the machine and its member: `apiserver-0`.
    pub name: String,
    /// The address in the simulated network.
    pub address: IpAddr,
    /// The disk with the member's data.
    pub disk: SimulatedDisk,
    /// Set this to true to stop the member.
    pub stop: Arc<watch::Sender<bool>>,
    /// The member has ended by itself.
    pub ended: Arc<AtomicBool>,
}

impl Machine {
    /// Returns the URL of its member.
    pub fn url(&self) -> String {
        format!("http://{}:{PORT}", self.address)
    }
}

/// Starts a member on each machine.
pub fn start(sim: &mut Sim<'_>, lying_disks: bool) -> Vec<Machine> {
    let names: Vec<String> = (0..MEMBERS).map(|number| format!("apiserver-{number}")).collect();
    let machines: Vec<Machine> = names
        .into_iter()
        .map(|name| Machine {
            address: sim.lookup(name.as_str()),
            disk: SimulatedDisk::new(fastrand::u64(..), lying_disks),
            stop: Arc::new(watch::Sender::new(false)),
            ended: Arc::default(),
            name,
        })
        .collect();
    let founders: BTreeMap<u64, String> = (1..).zip(machines.iter().map(Machine::url)).collect();
    for (id, machine) in (1..).zip(&machines) {
        let (here, founders) = (machine.clone(), founders.clone());
        sim.host(machine.name.as_str(), move || member(id, here.clone(), founders.clone()));
    }
    machines
}

/// Returns a client of the members. Call this on a simulated machine.
pub fn client(urls: &[String]) -> anyhow::Result<Client> {
    Ok(Client::connect(urls, Arc::new(|endpoint| network::channel(&endpoint)))?)
}

/// Runs one member. An error ends only this member; [`Machine::ended`] then makes the machine stop, so that its
/// remaining tasks end as with a process.
async fn member(id: u64, machine: Machine, founders: BTreeMap<u64, String>) -> turmoil::Result {
    if let Err(error) = serve(id, &machine, founders).await {
        tracing::info!(name = machine.name, "ended: {error:#}");
    }
    machine.ended.store(true, Ordering::Relaxed);
    std::future::pending().await
}

async fn serve(id: u64, machine: &Machine, founders: BTreeMap<u64, String>) -> anyhow::Result<()> {
    let folder = DataFolder::open(Arc::new(machine.disk.clone()), Path::new("/data"), id, Origin::New)?;
    let member = raft::Config {
        id,
        folder,
        founders,
        network: Arc::new(SimulatedNetwork),
        link_port: None,
        heartbeat: HEARTBEAT,
        election: (ELECTION, ELECTION * 2),
        log: LOG,
    };
    let service_range = Range::parse("127.64.0.0/20").map_err(anyhow::Error::msg)?;
    let setup = Setup {
        name: machine.name.clone(),
        member,
        service_range,
        clock: now,
        ca: None,
        heavy: None,
        write_log: None,
        tokens: None,
    };
    server::run(setup, Box::pin(network::incoming().await?), machine.stop.subscribe()).await
}

/// Returns the simulation's time.
fn now() -> Timestamp {
    let elapsed = turmoil::since_epoch().unwrap_or_default();
    Timestamp::UNIX_EPOCH + elapsed
}
