//! Feeds the decoders for a while: first their corpora, then mutations of them. It needs no instrumentation, so it runs on
//! the stable compiler; `cargo fuzz` finds more.

use std::num::NonZero;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use anyhow::{anyhow, ensure};
use clap::Parser;
use squall_decoders::{ALL, Decoder};

mod corpus;
mod run;

/// Feed the decoders with hostile bytes
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  # Feed every decoder for about a minute
  cargo run -p squall-decoders

  # Feed one decoder for about ten minutes, with other mutations
  cargo run -p squall-decoders -- json --minutes 10 --seed 2

  # Feed a decoder with one input, such as one that a run has found
  cargo run -p squall-decoders -- json --input target/hostile/json")]
struct Args {
    /// Decoders to feed [default: all]
    names: Vec<String>,
    /// About how long to feed each decoder; the same number of executions everywhere
    #[arg(long, default_value_t = 1)]
    minutes: u64,
    /// Feed each decoder this often
    #[arg(long, conflicts_with = "minutes")]
    executions: Option<u64>,
    /// Seed of the mutations
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Folder with one corpus for each decoder
    #[arg(long, default_value = "fuzz/corpus")]
    corpus: PathBuf,
    /// Folder for the inputs that break a decoder
    #[arg(long, default_value = "target/hostile")]
    found: PathBuf,
    /// Feed this file only
    #[arg(long)]
    input: Option<PathBuf>,
}

fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    for name in &args.names {
        let known = ALL.iter().map(|decoder| decoder.name).collect::<Vec<_>>().join(", ");
        ensure!(ALL.iter().any(|decoder| decoder.name == name), "unknown decoder {name:?}; known decoders: {known}");
    }
    let is_chosen = |decoder: &&Decoder| args.names.is_empty() || args.names.iter().any(|name| name == decoder.name);
    let chosen: Vec<&Decoder> = ALL.iter().filter(is_chosen).collect();
    let held = fed_side_by_side(&args, &chosen)?;
    Ok(if held { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Feeds the decoders, as many at a time as the machine has processors. Returns whether all of them held.
fn fed_side_by_side(args: &Args, chosen: &[&Decoder]) -> anyhow::Result<bool> {
    let (next, held) = (AtomicUsize::new(0), AtomicBool::new(true));
    let work = || -> anyhow::Result<()> {
        while let Some(decoder) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
            if fed(args, decoder)? == run::Outcome::Broken {
                held.store(false, Ordering::Relaxed);
            }
        }
        Ok(())
    };
    let workers = std::thread::available_parallelism().map_or(1, NonZero::get);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().unwrap_or_else(|_| Err(anyhow!("a worker panicked"))))
    })?;
    Ok(held.load(Ordering::Relaxed))
}

fn fed(args: &Args, decoder: &Decoder) -> anyhow::Result<run::Outcome> {
    let (inputs, executions) = match &args.input {
        Some(file) => (vec![std::fs::read(file)?], 1),
        None => {
            let executions = args.executions.unwrap_or_else(|| decoder.minute.saturating_mul(args.minutes));
            (corpus::read(&args.corpus.join(decoder.name))?, executions)
        }
    };
    run::feed(*decoder, inputs, executions, args.seed, &args.found)
}
