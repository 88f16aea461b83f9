//! `ctl soak`: tests the store under faults, for any length of time.

use squall_lab::soak::{self, Length, Plan, Report};
use squall_lab::stage::{self, Audience, Playing};

use squall_cluster::TimingProfile;
use tokio::sync::watch;

use super::chaos::tell;
use super::demo::APISERVERS;
use crate::cli::SoakArgs;
use crate::failure::Failure;
use crate::interruption::Interruption;
use crate::output::{line, line_error, number};

/// Runs a soak on its own cluster. Fails with every violation. The first signal ends it early, with a verdict on what it
/// did until then; the second one ends it at once.
pub async fn run(args: SoakArgs) -> Result<(), Failure> {
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..));
    let length = match args.duration {
        Some(duration) => Length::Time(duration),
        None => Length::Work { writes: args.writes, faults: args.faults },
    };
    let plan = Plan { seed, length, writers: args.writers, readers: args.readers, watchers: args.watchers };
    line_error(&format!("seed {seed}; repeat with: {}", command(&plan)));
    let folder = tempfile::tempdir().map_err(Failure::error)?;
    let (timing, enough) = (TimingProfile::K8s, watch::Sender::new(false));
    let playing = Playing { timing, mutant: None, folder: folder.path().to_owned(), enough: enough.subscribe() };
    let mut interruption = Interruption::listen()?;
    let scenario = soak::scenario(&plan, APISERVERS);
    let mut play = stage::play(&scenario, &playing, Audience::of_notes(tell));
    let over = async {
        match length {
            Length::Time(duration) => tokio::time::sleep(duration).await,
            Length::Work { .. } => std::future::pending().await,
        }
    };
    let record = tokio::select! {
        record = &mut play => record,
        () = over => {
            enough.send_replace(true);
            ended(&mut play, &mut interruption).await?
        }
        signal = interruption.wait() => {
            line_error(&format!("{signal}: ending the soak; once more to end it at once"));
            enough.send_replace(true);
            ended(&mut play, &mut interruption).await?
        }
    }?;
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

/// Waits for the end of a soak that was told to end. A signal ends it at once.
async fn ended<T>(play: impl Future<Output = T>, interruption: &mut Interruption) -> Result<T, Failure> {
    tokio::select! {
        record = play => Ok(record),
        signal = interruption.wait() => Err(Failure::error(format!("interrupted by {signal}"))),
    }
}

fn command(plan: &Plan) -> String {
    let Plan { seed, length, writers, readers, watchers } = plan;
    let length = match length {
        Length::Work { writes, faults } => format!("--writes {writes} --faults {faults}"),
        Length::Time(duration) => format!("--duration {}", squall_api::duration::format(*duration)),
    };
    format!("ctl soak --seed {seed} {length} --writers {writers} --readers {readers} --watchers {watchers}")
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
