//! `ctl soak`: tests the store under faults, for any length of time.

use squall_lab::soak::{self, Plan, Report};
use squall_lab::stage::{self, Audience, Playing};

use squall_cluster::TimingProfile;

use super::chaos::tell;
use super::demo::APISERVERS;
use crate::cli::SoakArgs;
use crate::failure::Failure;
use crate::output::{line, line_error, number};

/// Runs a soak on its own cluster. Fails with every violation.
pub async fn run(args: SoakArgs) -> Result<(), Failure> {
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..));
    let plan = Plan {
        seed,
        writes: args.writes,
        faults: args.faults,
        writers: args.writers,
        readers: args.readers,
        watchers: args.watchers,
    };
    line_error(&format!(
        "seed {seed}; repeat with: ctl soak --seed {seed} --writes {} --faults {}",
        plan.writes, plan.faults
    ));
    let folder = tempfile::tempdir().map_err(Failure::error)?;
    let playing = Playing { timing: TimingProfile::K8s, mutant: None, folder: folder.path().to_owned() };
    let record = stage::play(&soak::scenario(&plan, APISERVERS), &playing, Audience::of_notes(tell)).await?;
    let report = Report::of(&plan, &record);
    if !report.violations.is_empty() {
        line_error(&format!("the logs of the cluster are in {}", folder.keep().join("cluster/logs").display()));
    }
    if args.output.is_some() {
        line(&serde_json::to_string_pretty(&report).map_err(Failure::error)?);
    } else {
        print(&report);
    }
    Failure::all(report.violations.into_iter().map(Failure::error).collect())
}

fn print(report: &Report) {
    let faults: u64 = report.faults.iter().map(|(_, count)| count).sum();
    let kinds: Vec<String> = report.faults.iter().map(|(fault, count)| format!("{fault} {count}")).collect();
    let count = |count: u64| number(usize::try_from(count).unwrap_or(usize::MAX));
    line(if report.violations.is_empty() { "HELD" } else { "BROKEN" });
    line(&format!("  {} faults in {:.0} s: {}", faults, report.seconds, kinds.join(", ")));
    line(&format!(
        "  {} writes acknowledged, {} without a response and read back",
        count(report.acknowledged),
        count(report.unknown)
    ));
    line(&format!("  {} reads and {} watch events checked", count(report.reads), count(report.watched)));
    line(&format!("  {:.1} s at most without an acknowledged write", report.longest_silence_seconds));
    line(&format!("  {} contradictions", report.violations.len()));
}
