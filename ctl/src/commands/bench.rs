//! `ctl bench`: runs benchmarks, each on its own cluster.

use squall_bench::load::Load;
use squall_bench::store::{self, Bench, Report};
use squall_bench::{failover, rollout, startup};

use squall_cluster::TimingProfile;

use super::demo::options_of;
use crate::cli::{BenchCommand, BenchFailoverArgs, BenchRolloutArgs, BenchSizeArgs, BenchStartupArgs, BenchStoreArgs};
use crate::failure::Failure;
use crate::output::{line, line_error, print_cells};

/// Runs a benchmark.
pub async fn run(command: BenchCommand) -> Result<(), Failure> {
    match command {
        BenchCommand::Store(args) => store(args).await,
        BenchCommand::Size(args) => size(args).await,
        BenchCommand::Startup(args) => startup(args).await,
        BenchCommand::Failover(args) => failover(args).await,
        BenchCommand::Rollout(args) => rollout(args).await,
    }
}

async fn startup(args: BenchStartupArgs) -> Result<(), Failure> {
    let options = options_of(args.lab.nodes, args.lab.timing);
    let report = startup::run(&options, usize::from(args.runs), args.idle, |text| line_error(&text)).await?;
    if args.lab.output.is_some() {
        line(&serde_json::to_string_pretty(&report).map_err(Failure::error)?);
    } else {
        print_startup(&report);
    }
    Ok(())
}

async fn failover(args: BenchFailoverArgs) -> Result<(), Failure> {
    let options = squall_cluster::Options { controller_managers: 1, ..options_of(0, TimingProfile::Fast) };
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

async fn rollout(args: BenchRolloutArgs) -> Result<(), Failure> {
    // A rolling update temporarily has a quarter more pods.
    let (room, needed) = (i32::from(args.nodes) * 110, args.pods + args.pods.div_euclid(4) + 1);
    if room < needed {
        let message = format!("{} nodes have room for {room} pods; rolling {} needs {needed}", args.nodes, args.pods);
        return Err(Failure::error(message));
    }
    let folder = tempfile::tempdir().map_err(anyhow::Error::from)?;
    let options = options_of(args.nodes, args.timing);
    let report = rollout::run(folder.path(), &options, args.pods, |phase| line_error(&said(phase))).await?;
    if args.output.is_some() {
        line(&serde_json::to_string_pretty(&report).map_err(Failure::error)?);
        return Ok(());
    }
    let mut cells = vec![["PHASE", "TIME", "PODS/S", "WRITES/POD", "CPU"].map(str::to_owned).to_vec()];
    cells.extend(report.phases.iter().map(|phase| {
        let cpu: f64 = phase.cpu_seconds.values().sum();
        let roles: Vec<String> = phase.cpu_seconds.iter().map(|(role, cpu)| format!("{role} {cpu:.2}")).collect();
        vec![
            format!("{} {} pods", phase.name, report.pods),
            format!("{:.2} s", phase.seconds),
            format!("{:.0}", phase.pods_per_second),
            format!("{:.1}", phase.writes_per_pod),
            format!("{cpu:.2} s ({})", roles.join(", ")),
        ]
    }));
    print_cells(&cells, 3);
    line(&format!("a rollout resumed {:.2} s after its controller-manager was killed", report.resumed_seconds));
    line(&format!("memory of all processes: {:.0} MiB", report.resident_mib));
    Ok(())
}

fn said(phase: &rollout::Phase) -> String {
    format!("{}: {:.2} s", phase.name, phase.seconds)
}

async fn store(args: BenchStoreArgs) -> Result<(), Failure> {
    let cluster = squall_cluster::Options { apiservers: usize::from(args.apiservers), ..store_options() };
    let bench = Bench::start(cluster).await?;
    let mut reports = Vec::new();
    for clients in &args.clients {
        let load = Load { clients: *clients, warm_up: args.warm_up, duration: args.duration };
        let options = store::Options {
            workload: args.workload,
            load,
            target: args.target,
            connections: args.connections,
            value_bytes: args.value_bytes,
            keys: args.keys,
        };
        line_error(&format!("{clients} clients for {:?}", args.duration));
        reports.push(bench.run(&options).await?);
    }
    if args.output.is_some() {
        line(&serde_json::to_string_pretty(&reports).map_err(Failure::error)?);
    } else {
        print_store(&reports);
    }
    let failed: Vec<Failure> =
        reports.iter().filter_map(|report| report.figures.first_error.as_ref()).map(Failure::error).collect();
    Failure::all(failed)
}

/// Three apiservers, and as few other members as possible.
fn store_options() -> squall_cluster::Options {
    squall_cluster::Options { controller_managers: 1, ..options_of(0, TimingProfile::K8s) }
}

fn print_store(reports: &[Report]) {
    let head = [
        "CLIENTS",
        "OP/S",
        "ERRORS",
        "P50",
        "P90",
        "P99",
        "P99.9",
        "MAX",
        "LEADER CPU/OP",
        "ALL CPU/OP",
        "LEADER FSYNCS",
        "MEMORY",
    ];
    let mut cells = vec![head.map(str::to_owned).to_vec()];
    cells.extend(reports.iter().map(|report| {
        let figures = &report.figures;
        let cpu = |wanted: bool| -> f64 {
            let members = report.members.iter().filter(|member| member.leads || !wanted);
            members.map(|member| member.cpu_micros_per_operation).sum()
        };
        let fsyncs: u64 = report.members.iter().filter(|member| member.leads).map(|member| member.fsyncs).sum();
        let milliseconds = |value: f64| format!("{value:.2} ms");
        let memory = report.members.iter().map(|member| member.resident_mib).fold(0.0, f64::max);
        vec![
            report.clients.to_string(),
            format!("{:.0}", figures.per_second),
            figures.errors.to_string(),
            milliseconds(figures.p50_ms),
            milliseconds(figures.p90_ms),
            milliseconds(figures.p99_ms),
            milliseconds(figures.p999_ms),
            milliseconds(figures.max_ms),
            format!("{:.0} us", cpu(true)),
            format!("{:.0} us", cpu(false)),
            fsyncs.to_string(),
            format!("{memory:.0} MiB"),
        ]
    }));
    print_cells(&cells, 3);
}

async fn size(args: BenchSizeArgs) -> Result<(), Failure> {
    let mut bench = Bench::start(store_options()).await?;
    let report = bench.measure_size(args.objects, args.value_bytes).await?;
    if args.output.is_some() {
        line(&serde_json::to_string_pretty(&report).map_err(Failure::error)?);
        return Ok(());
    }
    let memory: Vec<String> = report.resident_mib.iter().map(|mib| format!("{mib:.0} MiB")).collect();
    line(&format!(
        "created {} objects of {} bytes in {:.1} s",
        report.objects, report.value_bytes, report.fill_seconds
    ));
    line(&format!("memory of each apiserver: {}", memory.join(", ")));
    line(&format!("listing all objects: {:.2} s", report.list_seconds));
    line(&format!("a snapshot: {:.2} s, {:.0} MiB", report.snapshot_seconds, report.snapshot_mib));
    line(&format!(
        "p99.9 of writes by 16 clients: {:.1} ms, and {:.1} ms while snapshots are taken one after the other",
        report.write_p999_ms, report.write_p999_ms_during_snapshots
    ));
    line(&format!("a killed apiserver caught up with the others {:.2} s after its start", report.restart_seconds));
    line(&format!("a new apiserver caught up and became a voter after {:.2} s", report.new_member_seconds));
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
