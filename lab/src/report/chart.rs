//! A chart of one arm over time: pods by version, available pods, client requests, faults, leaders.

use std::collections::BTreeSet;
use std::time::Duration;

use maud::{Markup, html};

use super::series::{Point, series};
use crate::stage::Record;
use squall_referee::evidence::{ArmRecord, Lane};
use squall_referee::history::Subject;

/// The number of colors for versions.
pub const COLOURS: usize = 5;
const WIDTH: f64 = 640.0;
/// The left margin, for the names of rows.
const MARGIN: f64 = 84.0;
const PODS: f64 = 130.0;
const ROW: f64 = 16.0;
const GAP: f64 = 6.0;
/// The number of time slots in the row of client requests.
const BUCKETS: usize = 120;

/// Returns every version in any arm, so that each has one color.
pub fn versions(record: &Record) -> Vec<String> {
    let points = record.arms.iter().flat_map(|arm| series(&record.history, &arm.name));
    let all: BTreeSet<String> = points.flat_map(|point| point.ready.into_keys()).collect();
    all.into_iter().collect()
}

/// The data for one arm's chart.
pub struct Chart<'a> {
    record: &'a Record,
    arm: &'a ArmRecord,
    points: Vec<Point>,
    versions: Vec<String>,
    /// The largest number of pods.
    most: usize,
}

impl<'a> Chart<'a> {
    /// Collects the data of one arm.
    pub fn new(record: &'a Record, arm: &'a ArmRecord) -> Self {
        let points = series(&record.history, &arm.name);
        let ready = points.iter().map(|point| point.ready.values().sum::<usize>());
        let available = points.iter().map(|point| usize::try_from(point.available).unwrap_or(0));
        let most = ready.chain(available).max().unwrap_or(0).max(1);
        Self { record, arm, points, versions: versions(record), most }
    }

    /// Draws the chart as SVG.
    pub fn draw(&self) -> Markup {
        let lanes = PODS + GAP;
        let below = lanes + 4.0 * (ROW + GAP);
        let label = format!("pods of {} over time", self.arm.name);
        html! {
            svg viewBox=(format!("0 0 {} {}", WIDTH + 8.0, below + 18.0)) role="img" aria-label=(label) {
                (self.faults(below))
                @for (index, _) in self.versions.iter().enumerate() { (self.area(index)) }
                polyline.available points=(self.steps(|point| usize::try_from(point.available).unwrap_or(0))) {}
                @for count in 0..=self.most {
                    text.tick x=(MARGIN - 6.0) y=(self.y(count) + 3.0) text-anchor="end" { (count) }
                }
                (row_name("clients", lanes))
                (self.clients(lanes))
                (row_name("controllers", lanes + ROW + GAP))
                (self.lane("controllers", lanes + ROW + GAP))
                (row_name("Raft", lanes + 2.0 * (ROW + GAP)))
                (self.lane("Raft", lanes + 2.0 * (ROW + GAP)))
                (row_name("events", lanes + 3.0 * (ROW + GAP)))
                (self.events(lanes + 3.0 * (ROW + GAP)))
                (self.axis(below))
            }
        }
    }

    fn x(&self, at: Duration) -> f64 {
        let share = at.as_secs_f64() / self.record.played.as_secs_f64().max(0.001);
        MARGIN + share.min(1.0) * (WIDTH - MARGIN - 8.0)
    }

    fn y(&self, count: usize) -> f64 {
        PODS - 4.0 - (count as f64 / self.most as f64) * (PODS - 16.0)
    }

    /// Returns the points of a step line.
    fn steps(&self, value: impl Fn(&Point) -> usize) -> String {
        let mut corners = Vec::new();
        let mut last = None;
        for point in &self.points {
            let (x, y) = (self.x(point.at), self.y(value(point)));
            corners.extend(last.map(|last: f64| format!("{x:.1},{last:.1}")));
            corners.push(format!("{x:.1},{y:.1}"));
            last = Some(y);
        }
        corners.extend(last.map(|last| format!("{:.1},{last:.1}", self.x(self.record.played))));
        corners.join(" ")
    }

    /// Draws the ready pods of a version on top of those of earlier versions.
    fn area(&self, index: usize) -> Markup {
        let below = |point: &Point| {
            let before = self.versions[..index].iter();
            before.filter_map(|version| point.ready.get(version)).sum::<usize>()
        };
        let above = |point: &Point| below(point) + point.ready.get(&self.versions[index]).copied().unwrap_or(0);
        let back: Vec<String> = self.steps(below).split(' ').rev().map(str::to_owned).collect();
        html! {
            polygon class=(format!("v{}", index % COLOURS)) points=(format!("{} {}", self.steps(above), back.join(" "))) {
                title { (self.versions[index]) " ready" }
            }
        }
    }

    fn faults(&self, height: f64) -> Markup {
        let here = self.record.faults.iter().filter(|fault| fault.arm == self.arm.name);
        html! {
            @for fault in here {
                @let (from, to) = (self.x(fault.from), self.x(fault.to));
                rect.band x=(format!("{from:.1}")) y="0" width=(format!("{:.1}", (to - from).max(1.5))) height=(height) {
                    title { (fault.text) ": " (fault.receipt.text) }
                }
                line.begin x1=(format!("{from:.1}")) x2=(format!("{from:.1}")) y1="0" y2=(height) {}
                text.fault x=(format!("{:.1}", from + 3.0)) y="9" { (fault.name) }
            }
        }
    }

    fn clients(&self, y: f64) -> Markup {
        let mut buckets = vec![(0_usize, 0_usize); BUCKETS];
        for seen in &self.arm.requests.all {
            let share = seen.at.as_secs_f64() / self.record.played.as_secs_f64().max(0.001);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of the buckets")]
            let bucket = ((share * BUCKETS as f64) as usize).min(BUCKETS - 1);
            let (answered, failed) = &mut buckets[bucket];
            if seen.version.is_some() { *answered += 1 } else { *failed += 1 }
        }
        let width = (WIDTH - MARGIN - 8.0) / BUCKETS as f64;
        html! {
            @for (index, (answered, failed)) in buckets.iter().enumerate().filter(|(_, (a, f))| a + f > 0) {
                @let class = if *failed > 0 { "bad" } else { "good" };
                rect class=(class) x=(format!("{:.1}", MARGIN + index as f64 * width)) y=(y) width=(format!("{width:.2}")) height=(ROW) {
                    title { (answered) " answered, " (failed) " failed" }
                }
            }
        }
    }

    fn lane(&self, what: &str, y: f64) -> Markup {
        let lanes: Vec<&Lane> = self.record.lanes.iter().filter(|lane| lane.what == what).collect();
        html! {
            @for (index, lane) in lanes.iter().enumerate() {
                @let (from, to) = (self.x(lane.from), self.x(lane.to));
                @let class = if lane.leader.is_empty() { "nobody" } else if index % 2 == 0 { "lane even" } else { "lane odd" };
                rect class=(class) x=(format!("{from:.1}")) y=(y) width=(format!("{:.1}", to - from)) height=(ROW) {
                    title { (lane.leader) " (" (lane.epoch) ")" }
                }
                @if to - from > 60.0 {
                    text.lane x=(format!("{:.1}", from + 3.0)) y=(y + 11.0) {
                        @if lane.leader.is_empty() { "no leader" } @else { (lane.leader) " (" (lane.epoch) ")" }
                    }
                }
            }
        }
    }

    fn events(&self, y: f64) -> Markup {
        let here = self.record.history.changes.iter().filter_map(|change| match &change.subject {
            Subject::Event(event) if event.metadata.namespace == self.arm.name => Some((change.at, event)),
            _ => None,
        });
        html! {
            @for (at, event) in here {
                @let class = if event.r#type == "Warning" { "warning" } else { "event" };
                @let x = self.x(at);
                line class=(class) x1=(format!("{x:.1}")) x2=(format!("{x:.1}")) y1=(y) y2=(y + ROW) {
                    title { (event.involved_object.kind) "/" (event.involved_object.name) " " (event.reason) ": " (event.message) }
                }
            }
        }
    }

    fn axis(&self, y: f64) -> Markup {
        let played = self.record.played.as_secs_f64();
        let step =
            [1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0].into_iter().find(|step| played / step <= 8.0).unwrap_or(120.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "fewer than nine")]
        let ticks = (played / step) as u32;
        html! {
            line.axis x1=(MARGIN) x2=(WIDTH - 8.0) y1=(y) y2=(y) {}
            @for tick in 0..=ticks {
                @let at = f64::from(tick) * step;
                text.tick x=(format!("{:.1}", self.x(Duration::from_secs_f64(at)))) y=(y + 13.0) text-anchor="middle" { (format!("{at:.0} s")) }
            }
        }
    }
}

fn row_name(name: &str, y: f64) -> Markup {
    html! { text.tick x=(MARGIN - 6.0) y=(y + 11.0) text-anchor="end" { (name) } }
}
