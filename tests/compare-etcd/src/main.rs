//! Compares Squall's store with etcd: three members each, fsync on, the same loads in alternation, medians of the
//! ratios.
//!
//! Requests to Squall use its whole public API (TLS, decoding, defaults, validation, admission); requests to etcd carry
//! plain bytes without TLS. Run it with `cargo run --release -p squall-compare-etcd`, after `cargo build --release`:
//! it expects Squall's programs next to itself. Both serve from their leaders over the same number of connections.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a tool that is run by hand prints its figures")]

mod etcd;

use std::time::Duration;

use clap::Parser;
use squall_bench::load::{Figures, Load};
use squall_bench::store::{Bench, Options, Target, Workload};

use etcd::Etcd;

/// Compare Squall's store with etcd.
#[derive(Debug, Parser)]
struct Arguments {
    /// Number of rounds
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds per measurement
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Length of each value
    #[arg(long, default_value_t = 1_024)]
    value_bytes: usize,
    /// Number of objects
    #[arg(long, default_value_t = 1_000)]
    keys: usize,
    /// Numbers of clients that put
    #[arg(long, value_delimiter = ',', default_value = "1,16,64,256")]
    clients: Vec<usize>,
}

/// Number of clients that read.
const READERS: usize = 64;
const CONNECTIONS: usize = 8;

/// One measurement of one store.
#[derive(Clone)]
struct Sample {
    figures: Figures,
    cpu_micros: f64,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(compare(&arguments))
}

async fn compare(arguments: &Arguments) -> anyhow::Result<()> {
    let options = squall_cluster::Options {
        controller_managers: 1,
        nodes: 0,
        timing: squall_cluster::TimingProfile::K8s,
        ..squall_cluster::Options::default()
    };
    let squall = Bench::start(options).await?;
    let etcd = Etcd::start().await?;
    println!("| load | clients | ours/s | etcd/s | ratio | p50 ms | p99 ms | p99 ratio | CPU us/op | CPU ratio |");
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    let puts = arguments.clients.iter().map(|clients| ("put", Workload::Put, *clients));
    let loads: Vec<_> = puts.chain([("linearizable get", Workload::Get, READERS)]).collect();
    let mut peak_mib: f64 = 0.0;
    for (name, workload, clients) in loads {
        let load = Load { clients, warm_up: Duration::from_secs(1), duration: Duration::from_secs(arguments.seconds) };
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for round in 1..=arguments.rounds {
            eprintln!("{name}, {clients} clients, round {round} of {}", arguments.rounds);
            let report = squall
                .run(&Options {
                    workload,
                    load,
                    target: Target::Leader,
                    connections: CONNECTIONS,
                    value_bytes: arguments.value_bytes,
                    keys: arguments.keys,
                })
                .await?;
            peak_mib = report.members.iter().map(|member| member.peak_mib).fold(peak_mib, f64::max);
            let cpu_micros = report.members.iter().map(|member| member.cpu_micros_per_operation).sum();
            ours.push(Sample { figures: report.figures, cpu_micros });
            let (figures, cpu_micros) =
                etcd.run(&load, CONNECTIONS, workload == Workload::Put, arguments.keys, arguments.value_bytes).await?;
            theirs.push(Sample { figures, cpu_micros });
        }
        print_row(name, clients, &ours, &theirs)?;
    }
    println!("\nMost memory of a member: ours {peak_mib:.0} MiB, etcd {:.0} MiB", etcd.peak_mib());
    Ok(())
}

/// Prints the medians over the rounds; a ratio is the median of the rounds' ratios.
fn print_row(name: &str, clients: usize, ours: &[Sample], theirs: &[Sample]) -> anyhow::Result<()> {
    for sample in ours.iter().chain(theirs) {
        if let Some(error) = &sample.figures.first_error {
            anyhow::bail!("{name} with {clients} clients: {} errors, the first: {error}", sample.figures.errors);
        }
    }
    let of = |samples: &[Sample], value: fn(&Sample) -> f64| median(samples.iter().map(value).collect());
    let ratio = |value: fn(&Sample) -> f64| {
        median(ours.iter().zip(theirs).map(|(one, other)| value(one) / value(other)).collect())
    };
    let rate = |sample: &Sample| sample.figures.per_second;
    let p50 = |sample: &Sample| sample.figures.p50_ms;
    let p99 = |sample: &Sample| sample.figures.p99_ms;
    let cpu = |sample: &Sample| sample.cpu_micros;
    println!(
        "| {name} | {clients} | {:.0} | {:.0} | {:.2} | {:.2} / {:.2} | {:.1} / {:.1} | {:.2} | {:.0} / {:.0} | {:.2} |",
        of(ours, rate),
        of(theirs, rate),
        ratio(rate),
        of(ours, p50),
        of(theirs, p50),
        of(ours, p99),
        of(theirs, p99),
        ratio(p99),
        of(ours, cpu),
        of(theirs, cpu),
        ratio(cpu)
    );
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
