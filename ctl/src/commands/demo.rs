//! `ctl demo`: runs the demo with a live view and a summary.

use std::path::PathBuf;
use std::time::Instant;

use squall_lab::demo::{self, Summary, View};
use tokio::sync::watch;

use squall_cluster::TimingProfile;

use crate::cli::{LabArgs, StatusOutput};
use crate::failure::Failure;
use crate::interruption::Interruption;
use crate::output::{Live, line, line_error, number};

/// Default number of apiservers in a cluster.
pub const APISERVERS: usize = 3;
/// Default number of controller-managers in a cluster.
pub const CONTROLLER_MANAGERS: usize = 2;

/// Runs the demo. Fails with every reason for not passing.
pub async fn run(args: LabArgs) -> Result<(), Failure> {
    let mut interruption = Interruption::listen()?;
    let folder = tempfile::Builder::new().prefix("squall-demo-").tempdir().map_err(anyhow::Error::from)?;
    let (sender, views) = watch::channel(View::default());
    let result = tokio::select! {
        result = demo::run(folder.path(), usize::from(args.nodes), args.timing, sender) => result,
        () = show(views) => Err(anyhow::anyhow!("the demo ended without a result")),
        signal = interruption.wait() => return Err(Failure::error(format!("interrupted by {signal}"))),
    };
    let summary = match result {
        Ok(summary) => summary,
        Err(error) => {
            keep_logs(folder);
            return Err(Failure::error(format!("the demo could not be completed: {error:#}")));
        }
    };
    match args.output {
        Some(StatusOutput::Json) => line(&serde_json::to_string_pretty(&summary).map_err(Failure::error)?),
        None => report(&summary, usize::from(args.nodes)),
    }
    if summary.reasons.is_empty() {
        return Ok(());
    }
    keep_logs(folder);
    Failure::all(summary.reasons.into_iter().map(Failure::error).collect())
}

/// A cluster with the default numbers of apiservers and controller-managers.
pub fn options_of(nodes: u8, timing: TimingProfile) -> squall_cluster::Options {
    squall_cluster::Options {
        apiservers: APISERVERS,
        controller_managers: CONTROLLER_MANAGERS,
        nodes: usize::from(nodes),
        timing,
        ..squall_cluster::Options::default()
    }
}

fn keep_logs(folder: tempfile::TempDir) {
    let path: PathBuf = folder.keep();
    line_error(&format!("the logs of the cluster are in {}", path.join("cluster/logs").display()));
}

/// Shows each view until the command ends.
async fn show(mut views: watch::Receiver<View>) {
    let (start, mut live) = (Instant::now(), Live::new());
    loop {
        let (state, lines) = {
            let view = views.borrow_and_update();
            let stage = &view.stage;
            let leaders = (&stage.raft_leader, &stage.elected);
            let state = format!("{:?}", (view.phase, &stage.pods, leaders, stage.failed));
            (state, lines_of(&view))
        };
        live.show(&format!("{:5.1} s", start.elapsed().as_secs_f64()), &state, &lines);
        if views.changed().await.is_err() {
            // The demo has ended: its result ends the command.
            std::future::pending::<()>().await;
        }
    }
}

fn lines_of(View { phase, stage }: &View) -> Vec<String> {
    let leader = |leader: &str| if leader.is_empty() { "nobody".to_owned() } else { leader.to_owned() };
    let mut lines = vec![phase.as_str().to_owned()];
    let versions = stage.pods.keys().chain(stage.requests.keys()).collect::<std::collections::BTreeSet<_>>();
    for version in versions {
        let pods = stage.pods.get(version).copied().unwrap_or_default();
        let dots = "●".repeat(pods.ready) + &"○".repeat(pods.all - pods.ready);
        let answered = number(stage.requests.get(version).copied().unwrap_or(0));
        lines.push(format!("{version} {dots:<4} {} of {} ready, {answered} answers", pods.ready, pods.all));
    }
    lines.push(format!("Raft: {}; controllers: {}", leader(&stage.raft_leader), leader(&stage.elected)));
    lines.push(format!("{} requests failed", number(stage.failed)));
    lines
}

fn report(summary: &Summary, nodes: usize) {
    line(if summary.reasons.is_empty() { "PASSED" } else { "FAILED" });
    let row = |label: &str, text: String| line(&format!("  {label:<10}{text}"));
    row(
        "cluster",
        format!(
            "ready after {:.2} s: {APISERVERS} apiservers, {CONTROLLER_MANAGERS} controller-managers, {nodes} nodes, timing {}",
            summary.ready_seconds, summary.timing
        ),
    );
    for fault in &summary.faults {
        row(
            "killed",
            format!("{}, which led {}; {} led after {:.2} s", fault.killed, fault.led, fault.successor, fault.seconds),
        );
    }
    row("rollout", format!("from v1 to v2 in {:.1} s", summary.rollout_seconds));
    let answered: Vec<String> =
        summary.requests.iter().map(|(version, count)| format!("{} by {version}", number(*count))).collect();
    row(
        "requests",
        format!(
            "{} answered, {} failed, the slowest took {:.0} ms",
            answered.join(" and "),
            number(summary.failed_requests),
            summary.slowest_request_ms
        ),
    );
    let extremes = summary.extremes;
    row(
        "pods",
        format!("never fewer than {} ready, never more than {} at once", extremes.least_ready, extremes.most_active),
    );
    if let Some(verdict) = &summary.verdict {
        let (revisions, invariants) = (&verdict.revisions, verdict.invariants.len());
        row(
            "referee",
            format!(
                "{} changes in revisions {} to {} judged by {invariants} invariants: {} violations",
                number(verdict.changes),
                revisions.start(),
                revisions.end(),
                verdict.violations.len()
            ),
        );
    }
    row("members", format!("all agree at revision {} on the state {}", summary.agreed.0, summary.agreed.1));
    row("total", format!("{:.1} s", summary.total_seconds));
}
