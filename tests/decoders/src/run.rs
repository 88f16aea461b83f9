//! Feeds a decoder until its time is over or an input breaks it.

use std::cell::Cell;
use std::fs;
use std::io::Write;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use fastrand::Rng;
use rustix::time::{ClockId, clock_gettime};
use squall_decoders::Decoder;

use crate::corpus::mutated;

/// No input of at most 16 KiB may take a decoder longer than this. A square in its length would.
const PATIENCE: Duration = Duration::from_secs(2);

/// The end of a run.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every input was read or refused.
    Held,
    /// An input broke the decoder. The run has reported it.
    Broken,
}

/// Returns the processor time of this thread: other work on the machine does not count.
fn processor_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

/// How long to feed a decoder.
#[derive(Debug, Clone, Copy)]
pub enum Length {
    /// For this much processor time.
    Time(Duration),
    /// This often.
    Executions(u64),
}

/// Feeds a decoder with the inputs, and then with mutations of them.
pub fn feed(decoder: &Decoder, inputs: &[Vec<u8>], length: Length, seed: u64, found: &Path) -> anyhow::Result<Outcome> {
    let mut random = Rng::with_seed(seed);
    let executions = Cell::new(0_u64);
    let broken = |bytes: &[u8]| {
        executions.set(executions.get().saturating_add(1));
        breaks(decoder, bytes)
    };
    let start = processor_time();
    let goes_on = || match length {
        Length::Time(time) => processor_time().saturating_sub(start) < time,
        Length::Executions(count) => executions.get() < count,
    };
    let mut breaking = inputs.iter().find(|input| broken(input)).cloned();
    while breaking.is_none() && goes_on() {
        let input = mutated(inputs, &mut random);
        breaking = broken(&input).then_some(input);
    }
    let mut out = std::io::stdout();
    let Some(input) = breaking else {
        writeln!(out, "{:16} {:>9} executions", decoder.name, executions.get())?;
        return Ok(Outcome::Held);
    };
    let file = found.join(decoder.name);
    fs::create_dir_all(found).and_then(|()| fs::write(&file, &input)).context("keeping the input")?;
    writeln!(out, "{:16} BROKEN by {}: {:?}", decoder.name, file.display(), String::from_utf8_lossy(&input))?;
    writeln!(out, "repeat: cargo run -p squall-decoders -- {} --input {}", decoder.name, file.display())?;
    Ok(Outcome::Broken)
}

/// Whether the decoder panics, or takes too long. The panic hook has printed the reason of a panic.
fn breaks(decoder: &Decoder, bytes: &[u8]) -> bool {
    let start = processor_time();
    let fed = panic::catch_unwind(AssertUnwindSafe(|| (decoder.feed)(bytes)));
    fed.is_err() || processor_time().saturating_sub(start) > PATIENCE
}
