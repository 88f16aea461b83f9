//! Three apiservers on simulated machines: their network, their disks, their clocks and all that is random hang on one
//! seed, so that whatever goes wrong goes wrong again. The apiservers are those of the real program, the clients and the
//! book of what they were told are those of `ctl soak`.
//!
//! `entropy` is where all randomness comes from, `disk` and `network` are the machines, `cluster` starts the members on
//! them, `faults` breaks them, `run` is one run from beginning to end, `many` are many.

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
use tracing_subscriber::EnvFilter;

use faults::Fault;

/// How long one seed may take, in real time: a hundred times what it does.
const PATIENCE: Duration = Duration::from_secs(200);

/// Simulate three apiservers under faults
///
/// Everything that happens hangs on the seed. Exit code 1: something that was acknowledged was lost, a read went back, a
/// watch missed a change, or the members came to differ. Exit code 2: a run did not come to its end.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "simulation",
    after_help = "Examples:\n  simulation --seed 17 --log info\n  simulation --seed 1000 --count 5000"
)]
struct Arguments {
    /// Decides everything
    #[arg(long)]
    seed: u64,

    /// So many seeds, from this one on, each in a process of its own
    #[arg(long, default_value_t = 1)]
    count: u64,

    /// So many faults
    #[arg(long, default_value_t = 8)]
    faults: u64,

    /// Only these kinds of faults
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Fault::ALL)]
    only: Vec<Fault>,

    /// So many clients that write
    #[arg(long, default_value_t = 4)]
    writers: usize,

    /// Give the members disks that say that they have synced and often have not: what is acknowledged gets lost
    #[arg(long)]
    lying_disks: bool,

    /// What to log, of one seed: a level, or `module=level` pairs separated by commas
    #[arg(long, default_value = "error,openraft=off")]
    log: String,
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
    let filter = EnvFilter::try_new(&arguments.log).unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr).with_ansi(false);
    lines.with_timer(run::VirtualTime).init();
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

/// Simulated time stands still while something turns in circles: then no limit of the simulation is ever reached. To be kept
/// until the run has ended.
fn end_if_it_never_does(seed: u64) -> mpsc::Sender<()> {
    let (running, ended) = mpsc::channel();
    thread::spawn(move || {
        if ended.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
            // There is nowhere else to tell of a failure.
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
