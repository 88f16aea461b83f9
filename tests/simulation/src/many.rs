//! Runs many seeds, each in its own process, because libraries keep global state that must not affect the next run.
//! Runs as many at a time as there are processors.

use std::io::{Write, stderr};
use std::ops::Range;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::Context;

/// The number of runs between two progress lines.
const TELL_EVERY: u64 = 50;

/// The results of all runs.
#[derive(Debug, Default)]
pub struct Sum {
    /// The number of seeds that were run.
    pub run: u64,
    /// The output of each failed run.
    pub failed: Vec<String>,
}

/// Runs seeds with the other arguments of this process.
pub fn run(seeds: Range<u64>, arguments: &[String]) -> anyhow::Result<Sum> {
    let (next, sum) = (AtomicU64::new(seeds.start), Mutex::new(Sum::default()));
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let worker = || -> anyhow::Result<()> {
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= seeds.end {
                    return Ok(());
                }
                let output = one(seed, arguments)?;
                note(&mut sum.lock().unwrap_or_else(PoisonError::into_inner), seed, &output, arguments);
            }
        };
        let running: Vec<_> = (0..workers).map(|_| scope.spawn(worker)).collect();
        running.into_iter().try_for_each(|worker| worker.join().map_err(|_| anyhow::anyhow!("a worker panicked"))?)
    })?;
    Ok(sum.into_inner().unwrap_or_else(PoisonError::into_inner))
}

fn one(seed: u64, arguments: &[String]) -> anyhow::Result<Output> {
    let program = std::env::current_exe().context("finding this program")?;
    Command::new(program).args(["--seed", &seed.to_string()]).args(arguments).output().context("starting a run")
}

fn note(sum: &mut Sum, seed: u64, output: &Output, arguments: &[String]) {
    sum.run += 1;
    let mut told = stderr();
    if !output.status.success() {
        let said = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat();
        let with: String = arguments.iter().map(|argument| format!(" {argument}")).collect();
        let command = format!("cargo run -p squall-simulation -- --seed {seed}{with}");
        let said = format!("seed {seed} failed ({}); repeat it with: {command}\n{said}", output.status);
        // There is no other place to report a failure.
        drop(writeln!(told, "{said}"));
        sum.failed.push(said);
    }
    if sum.run.is_multiple_of(TELL_EVERY) {
        drop(writeln!(told, "{} seeds, {} failed", sum.run, sum.failed.len()));
    }
}
