//! `ctl bench`: measurements on clusters of their own.

use squall_chaos::bench::{failover, startup};

use super::demo::options_of;
use crate::cli::{BenchCommand, BenchFailoverArgs, BenchStartupArgs, Timing};
use crate::failure::Failure;
use crate::output::{line, line_error, print_cells};

/// Runs a benchmark.
pub async fn run(command: BenchCommand) -> Result<(), Failure> {
    match command {
        BenchCommand::Startup(args) => startup(args).await,
        BenchCommand::Failover(args) => failover(args).await,
    }
}

async fn startup(args: BenchStartupArgs) -> Result<(), Failure> {
    let options = options_of(args.nodes, args.timing);
    let report = startup::run(&options, usize::from(args.runs), args.idle, |text| line_error(&text)).await?;
    if args.output.is_some() {
        line(&serde_json::to_string_pretty(&report).map_err(Failure::error)?);
    } else {
        print_startup(&report);
    }
    Ok(())
}

async fn failover(args: BenchFailoverArgs) -> Result<(), Failure> {
    let options = squall_cluster::Options { controller_managers: 1, ..options_of(0, Timing::Fast) };
    let report = failover::run(&options, usize::from(args.rounds), |text| line_error(&text)).await?;
    if args.output.is_some() {
        line(&serde_json::to_string_pretty(&report).map_err(Failure::error)?);
    } else if let Some([first, median, last]) = spread(&report.first_write_ms) {
        line(&format!(
            "first write after the leader's death: {first:.0} ms at best, {median:.0} ms in the median, {last:.0} ms at worst, of {} rounds",
            report.first_write_ms.len()
        ));
    }
    Ok(())
}

/// The best, the median and the worst of sorted values.
fn spread(sorted: &[f64]) -> Option<[f64; 3]> {
    Some([*sorted.first()?, *sorted.get(sorted.len() / 2)?, *sorted.last()?])
}

fn print_startup(report: &startup::Report) {
    let seconds = &report.ready_seconds;
    if let Some([first, median, last]) = spread(seconds) {
        line(&format!(
            "ready: {first:.2} s at best, {median:.2} s in the median, {last:.2} s at worst, of {} runs",
            seconds.len()
        ));
    }
    let mut cells = vec![["MEMBER", "CPU", "MEMORY"].map(str::to_owned).to_vec()];
    cells.extend(report.members.iter().map(|idle| {
        vec![idle.member.to_string(), format!("{:.2} %", idle.cpu_percent), format!("{:.1} MiB", idle.resident_mib)]
    }));
    let cpu: f64 = report.members.iter().map(|idle| idle.cpu_percent).sum();
    let memory: f64 = report.members.iter().map(|idle| idle.resident_mib).sum();
    cells.push(vec!["all".to_owned(), format!("{cpu:.2} %"), format!("{memory:.1} MiB")]);
    print_cells(&cells, 3);
}
