//! Formats a scenario run as text for a terminal.

use std::collections::BTreeSet;
use std::time::Duration;

use super::series::{self, series};
use crate::stage::Record;
use squall_referee::evidence::ArmRecord;

/// The width of the timeline.
const COLUMNS: usize = 60;
const INDENT: usize = 14;

/// Returns the whole report.
#[must_use]
pub fn text(record: &Record) -> String {
    let mut lines = vec![headline(record)];
    lines.extend(record.verdict.reasons.iter().map(|reason| format!("  {}: {}", reason.outcome, reason.text)));
    for arm in &record.arms {
        lines.push(String::new());
        lines.extend(of_arm(record, arm));
    }
    lines.push(String::new());
    lines.push("faults".to_owned());
    for fault in &record.faults {
        let (from, to) = (fault.from.as_secs_f64(), fault.to.as_secs_f64());
        let bit = if fault.receipt.bit { "took effect" } else { "no effect" };
        lines
            .push(format!("  {from:5.1} to {to:5.1} s  {}: {} ({bit}): {}", fault.arm, fault.text, fault.receipt.text));
    }
    lines.push(String::new());
    lines.extend(judged(record));
    lines.join("\n") + "\n"
}

fn headline(record: &Record) -> String {
    let mutant = record.mutant.as_ref().map(|mutant| format!(", without a protection ({mutant})")).unwrap_or_default();
    let Record { scenario, title, timing, seconds, .. } = record;
    format!("{}  {scenario}: {title} ({seconds:.0} s, timing {timing}{mutant})", record.verdict.outcome)
}

fn of_arm(record: &Record, arm: &ArmRecord) -> Vec<String> {
    let points = series(&record.history, &arm.name);
    let mut lines = vec![arm.name.clone()];
    let versions: BTreeSet<&String> = points.iter().flat_map(|point| point.ready.keys()).collect();
    for version in versions {
        let cells = columns(record.played, |moment| {
            digit(series::at(&points, moment).ready.get(version).copied().unwrap_or(0))
        });
        lines.push(row(&format!("{version} ready"), &cells));
    }
    lines.push(row("clients", &columns(record.played, |moment| client_cell(record, arm, moment))));
    lines.push(row("faults", &columns(record.played, |moment| fault_cell(record, arm, moment))));
    lines.push(row("", &axis(record.played)));
    for expected in &arm.expected {
        lines.push(match &expected.instead {
            None => format!("  yes: {}", expected.text),
            Some(instead) => format!("  NO:  {}; {instead}", expected.text),
        });
        lines.extend(expected.why.iter().map(|why| format!("       {why}")));
    }
    let requests = &arm.requests;
    let answered: usize = requests.answered.values().sum();
    if answered + requests.failed > 0 {
        let by: Vec<String> =
            requests.answered.iter().map(|(version, count)| format!("{count} by {version}")).collect();
        lines.push(format!(
            "  requests: {} answered ({}), {} failed; median {:.1} ms, p99 {:.1} ms, max {:.0} ms",
            answered,
            by.join(", "),
            requests.failed,
            requests.median_ms,
            requests.p99_ms,
            requests.slowest_ms
        ));
    }
    lines
}

fn row(label: &str, cells: &str) -> String {
    format!("  {label:<INDENT$}{cells}").trim_end().to_owned()
}

/// Returns a cell for the middle of each time slot.
fn columns(played: Duration, cell: impl Fn(Duration) -> char) -> String {
    let middle = |column: usize| played.mul_f64((column as f64 + 0.5) / COLUMNS as f64);
    (0..COLUMNS).map(|column| cell(middle(column))).collect()
}

fn digit(count: usize) -> char {
    match u32::try_from(count) {
        Ok(0) => '.',
        Ok(few @ 1..=9) => char::from_digit(few, 10).unwrap_or('+'),
        _ => '+',
    }
}

/// Shows whether requests that began in this time slot were answered.
fn client_cell(record: &Record, arm: &ArmRecord, moment: Duration) -> char {
    let half = record.played / u32::try_from(COLUMNS * 2).unwrap_or(1);
    let within = |at: Duration| at + half >= moment && at < moment + half;
    if arm.requests.failures.iter().any(|failure| within(failure.at)) {
        return 'x';
    }
    if arm.requests.all.iter().any(|asked| within(asked.at)) { '-' } else { ' ' }
}

fn fault_cell(record: &Record, arm: &ArmRecord, moment: Duration) -> char {
    let half = record.played / u32::try_from(COLUMNS * 2).unwrap_or(1);
    let here = record.faults.iter().filter(|fault| fault.arm == arm.name);
    let mut in_force = here.filter(|fault| fault.from <= moment + half && moment <= fault.to + half);
    if in_force.next().is_some() { '#' } else { ' ' }
}

fn axis(played: Duration) -> String {
    let mut axis = vec![' '; COLUMNS];
    for part in 0..4 {
        let label = format!("|{:.0} s", played.as_secs_f64() * f64::from(part) / 4.0);
        let at = COLUMNS / 4 * usize::try_from(part).unwrap_or(0);
        axis.iter_mut().skip(at).zip(label.chars()).for_each(|(cell, letter)| *cell = letter);
    }
    axis.into_iter().collect()
}

fn judged(record: &Record) -> Vec<String> {
    let verdict = &record.verdict;
    let mut lines = Vec::new();
    if let Some(referee) = &verdict.referee {
        lines.push(format!(
            "referee: {} changes in revisions {} to {} judged by {} invariants: {} violations",
            referee.changes,
            referee.revisions.start(),
            referee.revisions.end(),
            referee.invariants.len(),
            referee.violations.len()
        ));
    }
    lines.extend(verdict.outages.iter().map(|outage| {
        format!(
            "{}/{}: no ready endpoint between {:.1} s and {:.1} s, charged to {}",
            outage.arm,
            outage.service,
            outage.from.as_secs_f64(),
            outage.to.as_secs_f64(),
            outage.charged_to
        )
    }));
    lines.extend(verdict.dips.iter().map(|dip| {
        format!(
            "{}: {} of at least {} pods ready between {:.1} s and {:.1} s, charged to {}",
            dip.deployment,
            dip.fewest,
            dip.wanted,
            dip.from.as_secs_f64(),
            dip.to.as_secs_f64(),
            dip.charged_to
        )
    }));
    if let Some(checked) = &verdict.checked {
        lines.push(format!(
            "checkers: {} writes acknowledged and {} without an answer, {} reads, {} watch events, \
             {} counter steps: {} contradictions",
            checked.acknowledged,
            checked.unknown,
            checked.reads,
            checked.watched,
            checked.steps,
            checked.violations.len()
        ));
    }
    if let Some((revision, hash)) = &verdict.agreed {
        lines.push(format!("members: all agree at revision {revision} on the state {hash}"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeline_has_a_cell_for_each_part_of_the_time() {
        let cells = columns(Duration::from_secs(60), |moment| digit(usize::try_from(moment.as_secs() / 10).unwrap()));
        assert_eq!(cells.len(), COLUMNS);
        assert!(cells.starts_with("..........1111111111222"), "{cells}");
        assert!(axis(Duration::from_secs(40)).starts_with("|0 s           |10 s"));
    }

    #[test]
    fn what_was_is_what_last_began() {
        let point = |at, active| super::super::Point {
            at: Duration::from_secs(at),
            ready: std::collections::BTreeMap::new(),
            active,
            available: 0,
        };
        let points = [point(0, 1), point(5, 2)];
        let active = [0, 4, 5, 9].map(|second| series::at(&points, Duration::from_secs(second)).active);
        assert_eq!(active, [1, 1, 2, 2]);
    }
}
