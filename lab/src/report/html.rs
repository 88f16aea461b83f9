//! Formats scenario runs as one self-contained HTML file: no script, no font, no network.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::chart::{self, Chart};
use crate::stage::Record;
use squall_referee::evidence::ArmRecord;
use squall_referee::invariants;
use squall_referee::verdict::{Outcome, Verdict};

const STYLE: &str = include_str!("style.css");
/// The maximum number of listed failed requests; the others are only counted.
const LISTED: usize = 200;

/// Returns all runs on one page.
#[must_use]
pub fn html(records: &[Record]) -> String {
    let title = match records {
        [one] => format!("{}: {}", one.scenario, one.verdict.outcome),
        many => format!("{} scenarios", many.len()),
    };
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                @if records.len() > 1 { (overview(records)) }
                @for record in records { (of_record(record)) }
                footer { "Squall " (env!("CARGO_PKG_VERSION")) }
            }
        }
    };
    page.into_string()
}

/// Formats text between backticks as code.
fn prose(text: &str) -> Markup {
    html! {
        @for (index, part) in text.split('`').enumerate() {
            @if index % 2 == 0 { (part) } @else { code { (part) } }
        }
    }
}

fn class(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "pass",
        Outcome::Degraded => "degraded",
        Outcome::Inconclusive => "inconclusive",
        Outcome::Fail => "fail",
    }
}

fn badge(outcome: Outcome) -> Markup {
    html! { span class=(format!("badge {}", class(outcome))) { (outcome) } }
}

fn overview(records: &[Record]) -> Markup {
    html! {
        h1 { "Scenarios" }
        table {
            thead { tr { th { "verdict" } th { "scenario" } th { "seconds" } th { "reason" } } }
            tbody {
                @for record in records {
                    tr {
                        td { (badge(record.verdict.outcome)) }
                        td { a href=(format!("#{}", record.scenario)) { (record.scenario) } }
                        td { (format!("{:.0}", record.seconds)) }
                        td { @if let Some(reason) = record.verdict.reasons.first() { (reason.text) } }
                    }
                }
            }
        }
    }
}

fn of_record(record: &Record) -> Markup {
    let verdict = &record.verdict;
    html! {
        section id=(record.scenario) {
            h1 { (badge(verdict.outcome)) " " (record.title) }
            p.meta {
                code { (record.scenario) } ", " (format!("{:.0} s", record.seconds)) ", timing " (record.timing)
                @if let Some(mutant) = &record.mutant { ", without a protection: " code { (mutant) } }
            }
            @for paragraph in record.explain.split("\n\n") { p { (prose(paragraph)) } }
            @if !verdict.reasons.is_empty() {
                ul.reasons {
                    @for reason in &verdict.reasons { li { (badge(reason.outcome)) " " (reason.text) } }
                }
            }
            div.arms { @for arm in &record.arms { (of_arm(record, arm)) } }
            (legend(record))
            (faults(record))
            (invariants_of(verdict))
            (failed_requests(record))
            (notes(record))
        }
    }
}

fn of_arm(record: &Record, arm: &ArmRecord) -> Markup {
    let requests = &arm.requests;
    let answered: usize = requests.answered.values().sum();
    html! {
        article {
            h2 { (arm.name) }
            (Chart::new(record, arm).draw())
            @if let Some(stopped) = &arm.stopped { p.no { "stopped: " (stopped) } }
            ul.expected {
                @for expected in &arm.expected {
                    @match &expected.instead {
                        None => li.yes { (expected.text) },
                        Some(instead) => li.no {
                            (expected.text) "; " (instead)
                            @for why in &expected.why { br; (why) }
                        },
                    }
                }
            }
            @if answered + requests.failed > 0 {
                p.meta {
                    (answered) " requests answered ("
                    @for (index, (version, count)) in requests.answered.iter().enumerate() {
                        @if index > 0 { ", " }
                        (count) " by " (version)
                    }
                    "), " (requests.failed) " failed; median " (format!("{:.1}", requests.median_ms))
                    " ms, p99 " (format!("{:.1}", requests.p99_ms)) " ms, max "
                    (format!("{:.0}", requests.slowest_ms)) " ms"
                }
            }
        }
    }
}

fn legend(record: &Record) -> Markup {
    let versions = chart::versions(record);
    html! {
        p.legend {
            @for (index, version) in versions.iter().enumerate() {
                span { i class=(format!("key v{}", index % chart::COLOURS)) {} (version) " ready" }
            }
            span { i.key.line {} "available, as controllers report" }
            span { i.key.band {} "fault in force" }
            span { i.key.good {} "clients answered" }
            span { i.key.bad {} "clients failed" }
        }
    }
}

fn faults(record: &Record) -> Markup {
    html! {
        h2 { "Faults and their receipts" }
        table {
            thead { tr { th { "arm" } th { "fault" } th { "from" } th { "to" } th { "took effect" } th { "receipt" } } }
            tbody {
                @for fault in &record.faults {
                    tr {
                        td { (fault.arm) }
                        td { (fault.text) }
                        td { (seconds(fault.from)) }
                        td { (seconds(fault.to)) }
                        td { @if fault.receipt.bit { "yes" } @else { b.no { "no" } } }
                        td { (fault.receipt.text) }
                    }
                }
            }
        }
    }
}

fn invariants_of(verdict: &Verdict) -> Markup {
    html! {
        h2 { "Invariants" }
        @match &verdict.referee {
            None => p.no { "The history is incomplete and cannot be judged." },
            Some(referee) => {
                p.meta { (referee.changes) " changes in revisions " (referee.revisions.start()) " to " (referee.revisions.end()) }
                table {
                    thead { tr { th { "rule" } th { "first bad revision" } th { "written by" } th { "finding" } } }
                    tbody {
                        @for invariant in invariants::ALL {
                            @let broken = referee.violations.iter().find(|violation| violation.invariant == invariant.rule.name);
                            tr {
                                td { (invariant.rule.name) }
                                @match broken {
                                    None => { td.yes { "none" } td {} td {} },
                                    Some(broken) => {
                                        td.no { (broken.revision) } td { (broken.writer) } td { (broken.violation) }
                                    },
                                }
                            }
                        }
                    }
                }
            },
        }
        (troubled_times(verdict))
        @if let Some(checked) = &verdict.checked {
            p {
                (checked.acknowledged) " acknowledged writes were found again, " (checked.unknown)
                " without an answer were read back, " (checked.reads) " reads, " (checked.watched)
                " watch events and " (checked.steps) " counter steps were checked: "
                (checked.violations.len()) " contradictions."
            }
        }
        @if let Some((revision, hash)) = &verdict.agreed {
            p { "In the end all apiservers have the state " code { (hash) } " at revision " (revision) "." }
        }
    }
}

fn troubled_times(verdict: &Verdict) -> Markup {
    html! {
        @if !verdict.outages.is_empty() {
            h2 { "No ready endpoint under load" }
            table {
                thead { tr { th { "service" } th { "from" } th { "to" } th { "charged to" } } }
                tbody {
                    @for outage in &verdict.outages {
                        tr {
                            td { (outage.arm) "/" (outage.service) }
                            td { (seconds(outage.from)) }
                            td { (seconds(outage.to)) }
                            td { (outage.charged_to) }
                        }
                    }
                }
            }
        }
        @if !verdict.dips.is_empty() {
            h2 { "Fewer pods ready than wanted" }
            table {
                thead { tr { th { "deployment" } th { "from" } th { "to" } th { "fewest" } th { "wanted" } th { "charged to" } } }
                tbody {
                    @for dip in &verdict.dips {
                        tr {
                            td { (dip.deployment) }
                            td { (seconds(dip.from)) }
                            td { (seconds(dip.to)) }
                            td { (dip.fewest) }
                            td { (dip.wanted) }
                            td { (dip.charged_to) }
                        }
                    }
                }
            }
        }
    }
}

fn failed_requests(record: &Record) -> Markup {
    let failed: Vec<_> = record
        .arms
        .iter()
        .flat_map(|arm| arm.requests.failures.iter().map(move |failure| (&arm.name, failure)))
        .collect();
    html! {
        @if !failed.is_empty() {
            h2 { "Failed requests" }
            table {
                thead { tr { th { "arm" } th { "began" } th { "took" } th { "error" } th { "charged to" } } }
                tbody {
                    @for (arm, failure) in failed.iter().take(LISTED) {
                        tr {
                            td { (arm) }
                            td { (seconds(failure.at)) }
                            td { (seconds(failure.took)) }
                            td { (failure.error) }
                            td { (failure.charged_to) }
                        }
                    }
                }
            }
            @if failed.len() > LISTED { p.meta { "and " (failed.len() - LISTED) " more" } }
        }
    }
}

fn notes(record: &Record) -> Markup {
    html! {
        details {
            summary { "What happened, in order" }
            table {
                tbody {
                    @for note in &record.notes {
                        tr { td { (seconds(note.at)) } td { (note.arm) } td { code { (note.text) } } }
                    }
                }
            }
        }
    }
}

fn seconds(time: std::time::Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
