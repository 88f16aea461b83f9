//! Feeds a decoder a number of times, or until an input breaks it.

use std::fs;
use std::io::Write;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use fastrand::Rng;
use rustix::time::{ClockId, clock_gettime};
use squall_decoders::Decoder;

use crate::corpus::mutated;

/// No input of at most 16 KiB may take a decoder longer than this. A square in its length would.
const PATIENCE: Duration = Duration::from_secs(2);
/// An input that takes longer than this, on however busy a machine, never ends.
const ENDLESS: Duration = Duration::from_secs(300);

/// The end of a run.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every input was read or refused.
    Held,
    /// An input broke the decoder. The run has reported it.
    Broken,
}

/// How far a run is.
#[derive(Default)]
struct Progress {
    executions: AtomicU64,
    input: Mutex<Vec<u8>>,
}

/// Returns the processor time of this thread: other work on the machine does not count.
fn processor_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

/// Feeds a decoder with the inputs, and then with mutations of them.
pub fn feed(
    decoder: Decoder,
    inputs: Vec<Vec<u8>>,
    executions: u64,
    seed: u64,
    found: &Path,
) -> anyhow::Result<Outcome> {
    let progress = Arc::new(Progress::default());
    let (done, result) = channel();
    let worker = progress.clone();
    // A thread of its own has the stack of a server's thread, and can be left behind if it never ends.
    std::thread::spawn(move || done.send(breaking(decoder, &inputs, executions, seed, &worker)));
    let mut before = 0;
    let broken = loop {
        match result.recv_timeout(ENDLESS) {
            Ok(broken) => break broken,
            Err(RecvTimeoutError::Disconnected) => break Some("ended the thread"),
            Err(RecvTimeoutError::Timeout) if progress.executions.load(Ordering::Relaxed) == before => {
                break Some("never ends");
            }
            Err(RecvTimeoutError::Timeout) => before = progress.executions.load(Ordering::Relaxed),
        }
    };
    report(decoder.name, broken, &progress, found)
}

fn report(name: &str, broken: Option<&str>, progress: &Progress, found: &Path) -> anyhow::Result<Outcome> {
    let mut out = std::io::stdout();
    let Some(how) = broken else {
        writeln!(out, "{name:16} {:>9} executions", progress.executions.load(Ordering::Relaxed))?;
        return Ok(Outcome::Held);
    };
    let input = progress.input.lock().unwrap_or_else(PoisonError::into_inner);
    let file = found.join(name);
    fs::create_dir_all(found).and_then(|()| fs::write(&file, &*input)).context("keeping the input")?;
    writeln!(out, "{name:16} BROKEN ({how}) by {}: {:?}", file.display(), String::from_utf8_lossy(&input))?;
    writeln!(out, "repeat: cargo run -p squall-decoders -- {name} --input {}", file.display())?;
    Ok(Outcome::Broken)
}

/// Feeds a decoder. Returns how an input broke it, if one did; the input is in `progress`.
fn breaking(
    decoder: Decoder,
    inputs: &[Vec<u8>],
    executions: u64,
    seed: u64,
    progress: &Progress,
) -> Option<&'static str> {
    let mut random = Rng::with_seed(seed);
    let first = inputs.iter().find_map(|input| executed(decoder, input.clone(), progress));
    if first.is_some() {
        return first;
    }
    while progress.executions.load(Ordering::Relaxed) < executions {
        let broken = executed(decoder, mutated(inputs, &mut random), progress);
        if broken.is_some() {
            return broken;
        }
    }
    None
}

/// Executes a decoder. Returns how it broke, if it did. The panic hook has printed the reason of a panic.
fn executed(decoder: Decoder, input: Vec<u8>, progress: &Progress) -> Option<&'static str> {
    progress.executions.fetch_add(1, Ordering::Relaxed);
    progress.input.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&input);
    let start = processor_time();
    let fed = panic::catch_unwind(AssertUnwindSafe(|| (decoder.feed)(&input)));
    match fed {
        Err(_) => Some("a panic"),
        Ok(()) if processor_time().saturating_sub(start) > PATIENCE => Some("too slow"),
        Ok(()) => None,
    }
}
