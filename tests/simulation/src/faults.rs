//! Injects faults and heals them. Several may be active at once; all are healed at the end.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use clap::ValueEnum;
use turmoil::Sim;

use crate::cluster::Machine;
use crate::disk::{DiskFault, End};

/// The pause before the next fault, in milliseconds.
const PAUSE: std::ops::Range<u64> = 50..1_200;
/// The duration of a fault, in milliseconds.
const BROKEN: std::ops::Range<u64> = 50..2_500;
/// The number of disk operations before a machine stops.
const OPERATIONS: std::ops::Range<u64> = 0..60;

/// A fault of simulated machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Fault {
    /// The process is killed; its written data remains
    Kill,
    /// The process is killed in the middle of a disk operation
    KillMidway,
    /// The power of one machine fails
    PowerLoss,
    /// The power of one machine fails in the middle of a disk operation
    PowerLossMidway,
    /// The power of all machines fails
    PowerCut,
    /// A sync fails
    SyncFails,
    /// A disk is slow
    SlowDisk,
    /// The process is asked to exit
    Restart,
    /// Traffic between one machine and the others is blocked
    CutOff,
    /// Traffic from one machine to another is blocked; the other direction works
    CutOneWay,
    /// Traffic between one machine and the others is delayed
    Hold,
}

impl Fault {
    /// Every kind of fault.
    pub const ALL: [Self; 11] = [
        Self::Kill,
        Self::KillMidway,
        Self::PowerLoss,
        Self::PowerLossMidway,
        Self::PowerCut,
        Self::SyncFails,
        Self::SlowDisk,
        Self::Restart,
        Self::CutOff,
        Self::CutOneWay,
        Self::Hold,
    ];
}

/// A pending repair.
#[derive(Debug, Clone, Copy)]
enum Mend {
    Start(usize),
    Quicken(usize),
    Link(usize, usize),
    Release(usize, usize),
}

/// The schedule of faults and repairs.
pub struct Faults {
    kinds: Vec<Fault>,
    left: u64,
    next: Duration,
    mends: Vec<(Duration, Mend)>,
    /// The number of injected faults of each kind.
    pub made: BTreeMap<Fault, u64>,
}

impl Faults {
    /// Creates a schedule of this many faults of these kinds, which begins at this time.
    pub fn new(kinds: Vec<Fault>, count: u64, begin: Duration) -> Self {
        Self { kinds, left: count, next: begin, mends: Vec::new(), made: BTreeMap::new() }
    }

    /// Returns whether all faults have been injected and healed.
    pub fn is_over(&self, sim: &mut Sim<'_>, machines: &[Machine]) -> bool {
        let runs = |machine: &Machine| sim.is_host_running(machine.name.as_str());
        self.left == 0 && self.mends.is_empty() && machines.iter().all(runs)
    }

    /// Injects and heals what is due. Call this at each step.
    pub fn step(&mut self, sim: &mut Sim<'_>, machines: &[Machine]) {
        let now = sim.elapsed();
        let (due, later) = self.mends.drain(..).partition(|(at, _)| *at <= now);
        self.mends = later;
        let due: Vec<(Duration, Mend)> = due;
        due.into_iter().for_each(|(_, mend)| make_good(mend, sim, machines));
        for (place, machine) in machines.iter().enumerate() {
            if let Some(DiskFault::Stopped(end)) = machine.disk.fault() {
                tracing::info!(name = machine.name, ?end, "stopped");
                sim.crash(machine.name.as_str());
                machine.disk.end(end);
            }
            if machine.ended.swap(false, Ordering::Relaxed) {
                sim.crash(machine.name.as_str());
            }
            let starts = self.mends.iter().any(|(_, mend)| matches!(mend, Mend::Start(which) if *which == place));
            if !starts && !sim.is_host_running(machine.name.as_str()) {
                self.mends.push((now + random(BROKEN), Mend::Start(place)));
            }
        }
        if self.left > 0 && now >= self.next {
            self.left -= 1;
            self.next = now + random(PAUSE);
            let fault = self.kinds[fastrand::usize(..self.kinds.len())];
            *self.made.entry(fault).or_default() += 1;
            self.break_it(fault, now, sim, machines);
        }
    }

    fn break_it(&mut self, fault: Fault, now: Duration, sim: &mut Sim<'_>, machines: &[Machine]) {
        let place = fastrand::usize(..machines.len());
        let (machine, until) = (&machines[place], now + random(BROKEN));
        let others = (0..machines.len()).filter(|other| *other != place);
        tracing::info!(?fault, name = machine.name, until = ?until, "a fault");
        match fault {
            Fault::Kill => machine.disk.set_fault(Some(DiskFault::Stopped(End::Kill))),
            Fault::KillMidway => machine.disk.set_fault(stops_soon(End::Kill)),
            Fault::PowerLoss => machine.disk.set_fault(Some(DiskFault::Stopped(End::PowerLoss))),
            Fault::PowerLossMidway => machine.disk.set_fault(stops_soon(End::PowerLoss)),
            Fault::PowerCut => {
                let all = machines.iter();
                all.for_each(|machine| machine.disk.set_fault(Some(DiskFault::Stopped(End::PowerLoss))));
            }
            Fault::SyncFails => machine.disk.set_fault(Some(DiskFault::SyncFails)),
            Fault::SlowDisk => {
                machine.disk.set_fault(Some(DiskFault::Slow));
                self.mends.push((until, Mend::Quicken(place)));
            }
            Fault::Restart => drop(machine.stop.send_replace(true)),
            Fault::CutOff => others.for_each(|other| {
                sim.partition(machine.address, machines[other].address);
                self.mends.push((until, Mend::Link(place, other)));
            }),
            Fault::CutOneWay => {
                let other = (place + 1) % machines.len();
                sim.partition_oneway(machine.address, machines[other].address);
                self.mends.push((until, Mend::Link(place, other)));
            }
            Fault::Hold => others.for_each(|other| {
                sim.hold(machine.address, machines[other].address);
                self.mends.push((until, Mend::Release(place, other)));
            }),
        }
    }
}

fn make_good(mend: Mend, sim: &mut Sim<'_>, machines: &[Machine]) {
    tracing::info!(?mend, "mended");
    match mend {
        Mend::Start(place) => {
            machines[place].stop.send_replace(false);
            sim.bounce(machines[place].name.as_str());
        }
        Mend::Quicken(place) => {
            let disk = &machines[place].disk;
            if disk.fault() == Some(DiskFault::Slow) {
                disk.set_fault(None);
            }
        }
        Mend::Link(a, b) => sim.repair(machines[a].address, machines[b].address),
        Mend::Release(a, b) => sim.release(machines[a].address, machines[b].address),
    }
}

fn stops_soon(end: End) -> Option<DiskFault> {
    Some(DiskFault::StopsAfter(random_count(OPERATIONS), end))
}

fn random(millis: std::ops::Range<u64>) -> Duration {
    Duration::from_millis(random_count(millis))
}

fn random_count(range: std::ops::Range<u64>) -> u64 {
    fastrand::u64(range)
}
