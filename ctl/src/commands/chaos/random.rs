//! `ctl chaos random`: runs scenarios that a seed determines, and finds the faults that cause a failure.

use squall_faults::mutants;
use squall_lab::random::{scenario, with_faults};
use squall_lab::report::text;
use squall_lab::scenario::{Scenario, built_in};
use squall_lab::stage::{Playing, Record};
use squall_referee::verdict::Outcome;

use squall_cluster::TimingProfile;

use super::{Kept, Outputs, finish, one_by_one, play_in, writable, wrong};
use crate::cli::ChaosRandomArgs;
use crate::failure::Failure;
use crate::output::{line_error, text as print};

/// Runs one scenario after the other. The others run even if one fails.
pub async fn run(args: ChaosRandomArgs) -> Result<(), Failure> {
    check(&args).map_err(wrong)?;
    let first = args.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    let seeds = first..first.saturating_add(args.runs);
    let (records, failures) = one_by_one(seeds, async |seed| one(seed, &args).await).await?;
    finish(&records, failures, Outputs { report: args.report.as_ref(), junit: None, json: args.output.is_some() })
}

/// Reports an error in any flag before the first scenario runs.
fn check(args: &ChaosRandomArgs) -> Result<(), Failure> {
    if let Some(name) = &args.mutant {
        mutants::find(name).map_err(Failure::error)?;
    }
    writable(args.report.as_ref())
}

async fn one(seed: u64, args: &ChaosRandomArgs) -> Result<Record, Failure> {
    let whole = scenario(seed, args.duration);
    let all: Vec<usize> = (0..whole.faults().count()).collect();
    let kept = args.faults.clone().unwrap_or(all);
    let record = play(&with_faults(&whole, &kept), args).await?;
    if args.output.is_none() {
        print(&text::text(&record));
    }
    let needed = match record.verdict.outcome {
        Outcome::Pass => return Ok(record),
        Outcome::Fail if !args.no_shrink => shrink(&whole, kept, args).await?,
        Outcome::Fail | Outcome::Degraded | Outcome::Inconclusive => kept,
    };
    line_error(&format!("repeat with: {}", command(seed, args, &needed)));
    Ok(record)
}

/// Leaves out one fault after the other, and keeps those without which the scenario does not fail.
async fn shrink(whole: &Scenario, mut kept: Vec<usize>, args: &ChaosRandomArgs) -> Result<Vec<usize>, Failure> {
    for fault in kept.clone() {
        let fewer: Vec<usize> = kept.iter().copied().filter(|other| *other != fault).collect();
        line_error(&format!("trying without fault {fault}: {} left", fewer.len()));
        if play(&with_faults(whole, &fewer), args).await?.verdict.outcome == Outcome::Fail {
            kept = fewer;
        }
    }
    Ok(kept)
}

fn command(seed: u64, args: &ChaosRandomArgs, faults: &[usize]) -> String {
    let (duration, mutant) = (squall_api::duration::format(args.duration), args.mutant.as_ref());
    let faults: Vec<String> = faults.iter().map(usize::to_string).collect();
    let mutant = mutant.map(|mutant| format!(" --mutant {mutant}")).unwrap_or_default();
    format!("ctl chaos random --seed {seed} --duration {duration} --faults {}{mutant}", faults.join(","))
}

async fn play(scenario: &Scenario, args: &ChaosRandomArgs) -> Result<Record, Failure> {
    let folder = tempfile::tempdir().map_err(Failure::error)?;
    built_in::unpack(folder.path())?;
    let scenario = Scenario { folder: built_in::beside(folder.path()), ..scenario.clone() };
    let (timing, mutant) = (TimingProfile::Fast, args.mutant.clone());
    let playing = Playing::to_the_end(timing, mutant, folder.path().to_owned());
    play_in(folder, &scenario, &playing, Kept::OfFailures).await
}
