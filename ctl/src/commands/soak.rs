//! `ctl soak`: tests the store under faults, for any length of time.

use squall_lab::soak::{self, Plan, Report};

use super::demo::options_of;
use crate::cli::{SoakArgs, Timing};
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
    let options = squall_cluster::Options { controller_managers: 1, ..options_of(0, Timing::K8s) };
    line_error(&format!(
        "seed {seed}; repeat with: ctl soak --seed {seed} --writes {} --faults {}",
        plan.writes, plan.faults
    ));
    let report = soak::run(&plan, options, |text| line_error(&text)).await?;
    if args.output.is_some() {
        line(&serde_json::to_string_pretty(&report).map_err(Failure::error)?);
    } else {
        print(&report);
    }
    Failure::all(report.violations.into_iter().map(Failure::error).collect())
}

fn print(report: &Report) {
    let faults: u64 = report.faults.iter().map(|(_, count)| count).sum();
    let kinds: Vec<String> = report.faults.iter().map(|(fault, count)| format!("{fault:?} {count}")).collect();
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
