//! One run: starts a cluster, runs clients during faults, and checks every answer.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use futures_util::future::join_all;
use squall_api::Kind;
use squall_checkers::agreement;
use squall_checkers::clients::{self, KEYS_OF_A_WRITER, Others};
use squall_checkers::ledger::Ledger;
use squall_client::{ResourceRef, wait_for};
use tokio::sync::watch;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use turmoil::Builder;

use crate::cluster::{self, Machine};
use crate::faults::{Fault, Faults};
use crate::network;

/// The minimum and the maximum latency of a message between machines.
const LATENCY: (Duration, Duration) = (Duration::from_micros(200), Duration::from_millis(8));
/// The step of the simulation.
const TICK: Duration = Duration::from_millis(2);
/// The start time of every simulation: 2026-01-01.
const EPOCH: Duration = Duration::from_secs(1_767_225_600);
/// The limit of simulated time.
const LONGEST: Duration = Duration::from_secs(300);
/// The maximum number of attempts to connect per second, of all machines together; more are a storm. Of the first 200
/// seeds, one makes 88, in a short run with many faults at once, and no other more than 80.
const MOST_ATTEMPTS: u64 = 160;
/// How long the clients continue after all faults are healed.
const AFTERWARDS: Duration = Duration::from_millis(1_500);
const OTHERS: Others = Others { readers: 2, watchers: 3 };

/// The parameters of a run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The seed of all randomness.
    pub seed: u64,
    /// The number of faults.
    pub faults: u64,
    /// The kinds of faults; never empty.
    pub kinds: Vec<Fault>,
    /// The number of clients that write.
    pub writers: usize,
    /// Use disks that lie about syncing; see [`crate::disk`].
    pub lying_disks: bool,
}

/// The result of a run. Two runs of the same plan have the same report.
pub struct Report {
    plan: Plan,
    acknowledged: u64,
    unknown: u64,
    reads: u64,
    watched: u64,
    faults: Vec<(Fault, u64)>,
    elapsed: Duration,
    /// The revision and the checksum of the members' common state.
    state: (u64, u64),
    /// The contradictions found; empty if everything held.
    pub violations: Vec<String>,
}

/// The phase of the clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// They create the keys.
    Preparing,
    /// They send requests.
    Asking,
}

/// Runs a plan. An error means that the run did not finish.
pub fn run(plan: Plan) -> anyhow::Result<Report> {
    let mut sim = Builder::new()
        .rng_seed(plan.seed)
        .epoch(SystemTime::UNIX_EPOCH + EPOCH)
        .simulation_duration(LONGEST)
        .tick_duration(TICK)
        .min_message_latency(LATENCY.0)
        .max_message_latency(LATENCY.1)
        .tcp_capacity(1 << 16)
        .build();
    let machines = cluster::start(&mut sim, plan.lying_disks);
    let urls = machines.iter().map(Machine::url).collect();
    let ledger = Rc::new(RefCell::new(Ledger::new(plan.writers * KEYS_OF_A_WRITER)));
    let (phase, enough) = (Rc::new(RefCell::new(Phase::Preparing)), watch::Sender::new(false));
    let state = Rc::new(RefCell::new((0, 0)));
    let asking = ask(urls, plan.writers, ledger.clone(), phase.clone(), enough.subscribe(), state.clone());
    sim.client("clients", async { asking.await.map_err(Into::into) });

    let (mut faults, mut over) = (None, None);
    while !sim.step().map_err(|error| anyhow::anyhow!("{error}"))? {
        if *phase.borrow() == Phase::Preparing {
            continue;
        }
        let now = sim.elapsed();
        let faults = faults.get_or_insert_with(|| Faults::new(plan.kinds.clone(), plan.faults, now));
        faults.step(&mut sim, &machines);
        if !faults.is_over(&mut sim, &machines) {
            continue;
        }
        let (since, acknowledged) = *over.get_or_insert_with(|| (now, ledger.borrow().acknowledged()));
        // After all faults, the clients must make progress.
        if now >= since + AFTERWARDS && ledger.borrow().acknowledged() > acknowledged {
            enough.send_replace(true);
        }
    }
    let mut ledger = ledger.borrow_mut();
    ledger.check_watches();
    if let Some(storm) = storm(sim.elapsed()) {
        ledger.violation(storm);
    }
    Ok(Report {
        plan,
        acknowledged: ledger.acknowledged(),
        unknown: ledger.unknown,
        reads: ledger.reads,
        watched: ledger.watched(),
        faults: faults.map(|faults| faults.made.into_iter().collect()).unwrap_or_default(),
        elapsed: sim.elapsed(),
        state: *state.borrow(),
        violations: std::mem::take(&mut ledger.violations),
    })
}

/// Returns an error if unreachable members caused too many attempts to connect without a pause.
fn storm(elapsed: Duration) -> Option<String> {
    let most = MOST_ATTEMPTS * (elapsed.as_secs() + 1);
    let attempts = network::attempts();
    (attempts > most).then(|| format!("{attempts} attempts to connect in {elapsed:?}: more than {most} is a storm"))
}

/// Runs the clients from the beginning to the end.
async fn ask(
    urls: Vec<String>,
    writers: usize,
    ledger: Rc<RefCell<Ledger>>,
    phase: Rc<RefCell<Phase>>,
    enough: watch::Receiver<bool>,
    state: Rc<RefCell<(u64, u64)>>,
) -> anyhow::Result<()> {
    let client = cluster::client(&urls)?;
    let namespace = ResourceRef::object(Kind::Namespace, "", "default");
    wait_for("the first objects", || client.get(&namespace, "")).await?;
    let writers: Vec<_> = clients::writers(&client, writers).collect();
    join_all(writers.iter().map(|writer| writer.prepare(&ledger))).await.into_iter().collect::<Result<(), _>>()?;
    phase.replace(Phase::Asking);
    clients::ask(&client, writers, OTHERS, &ledger, enough).await;
    let members = wait_for("all members to agree", || agreement::agreed(&client)).await?;
    state.replace(members.first().map_or((0, 0), |member| (member.revision, member.state_hash)));
    clients::read_back(&client, &ledger).await
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Plan { seed, .. } = self.plan;
        for violation in &self.violations {
            writeln!(f, "seed {seed}: {violation}")?;
        }
        let (revision, hash) = self.state;
        write!(
            f,
            "seed {seed}: {} writes, {} unknown, {} reads, {} events in {:.3} s; {:?}; revision {revision}, hash {hash:016x}: {}",
            self.acknowledged,
            self.unknown,
            self.reads,
            self.watched,
            self.elapsed.as_secs_f64(),
            self.faults,
            if self.violations.is_empty() { "all held" } else { "FAILED" }
        )
    }
}

/// Shows the simulation's time in log lines.
pub struct VirtualTime;

impl FormatTime for VirtualTime {
    fn format_time(&self, w: &mut Writer<'_>) -> fmt::Result {
        write!(w, "{:.6}", turmoil::sim_elapsed().unwrap_or_default().as_secs_f64())
    }
}
