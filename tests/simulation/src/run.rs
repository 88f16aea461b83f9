//! One run: a cluster comes up, clients ask while it is broken and mended, and then everything that anyone was told must
//! hold.

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

/// A message between machines takes at least this, and at most that.
const LATENCY: (Duration, Duration) = (Duration::from_micros(200), Duration::from_millis(8));
/// The simulation goes on in such steps.
const TICK: Duration = Duration::from_millis(2);
/// It is always the same day: 2026-01-01.
const EPOCH: Duration = Duration::from_secs(1_767_225_600);
/// No run takes so long.
const LONGEST: Duration = Duration::from_secs(300);
/// So many attempts to connect a second, by all machines together, are too many. Busy clients of members that are gone make
/// some 8.
const MOST_ATTEMPTS: u64 = 40;
/// How long the clients go on asking when everything is mended.
const AFTERWARDS: Duration = Duration::from_millis(1_500);
const OTHERS: Others = Others { readers: 2, watchers: 3 };

/// What a run is to be.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Decides everything.
    pub seed: u64,
    /// So many faults.
    pub faults: u64,
    /// Of these kinds; never none.
    pub kinds: Vec<Fault>,
    /// So many clients that write.
    pub writers: usize,
    /// See [`crate::disk`].
    pub lying_disks: bool,
}

/// What came of it. Two runs of the same plan say the same.
pub struct Report {
    plan: Plan,
    acknowledged: u64,
    unknown: u64,
    reads: u64,
    watched: u64,
    faults: Vec<(Fault, u64)>,
    elapsed: Duration,
    /// The revision and the checksum that all members came to.
    state: (u64, u64),
    /// What must not be.
    pub violations: Vec<String>,
}

/// How far the clients are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The keys are made.
    Preparing,
    /// They ask.
    Asking,
}

/// Runs a plan. The error is of a run that did not come to its end.
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
        let (since, acknowledged) = *over.get_or_insert_with(|| (now, ledger.borrow().acknowledged));
        // Whatever has happened, they must get on with it.
        if now >= since + AFTERWARDS && ledger.borrow().acknowledged > acknowledged {
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
        acknowledged: ledger.acknowledged,
        unknown: ledger.unknown,
        reads: ledger.reads,
        watched: ledger.watched(),
        faults: faults.map(|faults| faults.made.into_iter().collect()).unwrap_or_default(),
        elapsed: sim.elapsed(),
        state: *state.borrow(),
        violations: std::mem::take(&mut ledger.violations),
    })
}

/// Whoever cannot reach another must wait before they try again.
fn storm(elapsed: Duration) -> Option<String> {
    let most = MOST_ATTEMPTS * (elapsed.as_secs() + 1);
    let attempts = network::attempts();
    (attempts > most).then(|| format!("{attempts} attempts to connect in {elapsed:?}: more than {most} is a storm"))
}

/// What the clients do, from the beginning to the end.
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

/// Log lines show the time of the simulation.
pub struct VirtualTime;

impl FormatTime for VirtualTime {
    fn format_time(&self, w: &mut Writer<'_>) -> fmt::Result {
        write!(w, "{:.6}", turmoil::sim_elapsed().unwrap_or_default().as_secs_f64())
    }
}
