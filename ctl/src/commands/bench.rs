//! `ctl bench`: measurements on clusters of their own.

use squall_chaos::bench::startup::{self, Report};

use super::demo::options_of;
use crate::cli::{BenchCommand, BenchStartupArgs};
use crate::failure::Failure;
use crate::output::{line, line_error, print_cells};

/// Runs a benchmark.
pub async fn run(command: BenchCommand) -> Result<(), Failure> {
    match command {
        BenchCommand::Startup(args) => startup(args).await,
    }
}

async fn startup(args: BenchStartupArgs) -> Result<(), Failure> {
    let options = options_of(args.nodes, args.timing);
    let report = startup::run(&options, usize::from(args.runs), args.idle, |text| line_error(&text)).await?;
    if args.output.is_some() {
        line(&serde_json::to_string_pretty(&report).map_err(Failure::error)?);
    } else {
        print(&report);
    }
    Ok(())
}

fn print(report: &Report) {
    let seconds = &report.ready_seconds;
    if let (Some(first), Some(median), Some(last)) = (seconds.first(), seconds.get(seconds.len() / 2), seconds.last()) {
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
