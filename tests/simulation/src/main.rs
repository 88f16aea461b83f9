//! Simulates three apiservers on three machines: one seed determines their network, their disks, their clocks and all
//! randomness, so that every failure can be repeated. The apiservers are those of the real program; the clients and
//! their ledger are those of `ctl soak`.
//!
//! `entropy` is the source of all randomness, `disk` and `network` simulate the machines, `cluster` starts the members,
//! `faults` injects faults, `run` is one run, `many` runs many seeds.

mod cluster;
mod disk;
mod entropy;
mod faults;
mod many;
mod network;
mod run;
mod slow;

use std::io::{Write, stderr, stdout};
use std::process::ExitCode;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

use faults::Fault;

/// The real-time limit for one seed: a hundred times its usual duration.
const PATIENCE: Duration = Duration::from_secs(200);

/// Simulate three apiservers under faults
///
/// The seed determines everything that happens. Exit code 1: an acknowledged write was lost, a read went back in time,
/// a watch missed a change, or the members' states differ. Exit code 2: a run did not finish.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "simulation",
    after_help = "Examples:\n  simulation --seed 17 --log info\n  simulation --seed 1000 --count 5000"
)]
struct Arguments {
    /// Seed that determines everything
    #[arg(long)]
    seed: u64,

    /// Number of seeds, starting with this one, each in its own process
    #[arg(long, default_value_t = 1)]
    count: u64,

    /// Number of faults
    #[arg(long, default_value_t = 8)]
    faults: u64,

    /// Only these kinds of faults
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Fault::ALL)]
    only: Vec<Fault>,

    /// Number of clients that write
    #[arg(long, default_value_t = 4)]
    writers: usize,

    /// Use disks that acknowledge a sync often without doing it, which loses acknowledged writes
    #[arg(long)]
    lying_disks: bool,

    /// What to log in a run of one seed: a level, or `module=level` pairs separated by commas
    #[arg(long, default_value = "error,openraft=off")]
    log: Targets,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let (told, code) = if arguments.count == 1 { one(&arguments) } else { many(&arguments) };
    match writeln!(stdout(), "{told}") {
        Ok(()) => ExitCode::from(code),
        Err(_) => ExitCode::from(2),
    }
}

fn one(arguments: &Arguments) -> (String, u8) {
    entropy::seed(arguments.seed);
    let _running = end_if_it_never_does(arguments.seed);
    let lines = tracing_subscriber::fmt::layer().with_writer(stderr).with_ansi(false).with_timer(run::VirtualTime);
    tracing_subscriber::registry().with(lines.with_filter(arguments.log.clone())).init();
    let plan = run::Plan {
        seed: arguments.seed,
        faults: arguments.faults,
        kinds: arguments.only.clone(),
        writers: arguments.writers,
        lying_disks: arguments.lying_disks,
    };
    match run::run(plan) {
        Ok(report) => (report.to_string(), u8::from(!report.violations.is_empty())),
        Err(error) => (format!("seed {}: {error:#}", arguments.seed), 2),
    }
}

/// Aborts the process if the run hangs. In an endless loop simulated time stands still, so no limit of the simulation
/// applies. Keep the sender until the run has ended.
fn end_if_it_never_does(seed: u64) -> mpsc::Sender<()> {
    let (running, ended) = mpsc::channel();
    thread::spawn(move || {
        if ended.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
            // There is no other place to report a failure.
            drop(writeln!(stdout(), "seed {seed}: no end after {PATIENCE:?}"));
            std::process::abort();
        }
    });
    running
}

fn many(arguments: &Arguments) -> (String, u8) {
    let mut others = vec![format!("--faults={}", arguments.faults), format!("--writers={}", arguments.writers)];
    others.extend(
        arguments.only.iter().filter_map(|kind| Some(format!("--only={}", kind.to_possible_value()?.get_name()))),
    );
    others.extend(arguments.lying_disks.then(|| "--lying-disks".to_owned()));
    match many::run(arguments.seed..arguments.seed.saturating_add(arguments.count), &others) {
        Ok(sum) => (format!("{} seeds, {} failed", sum.run, sum.failed.len()), u8::from(!sum.failed.is_empty())),
        Err(error) => (format!("{error:#}"), 2),
    }
}
