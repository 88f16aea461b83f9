//! The events of an object, oldest first.

use jiff::Timestamp;
use squall_proto::core::v1::Event;

use super::layout::Layout;
use crate::age;
use crate::kinds::{first_seen, last_seen};

pub fn describe(layout: &mut Layout, events: &[Event], now: Timestamp) {
    if events.is_empty() {
        layout.field("Events", "<none>");
        return;
    }
    layout.settle();
    layout.line("Events:");
    layout.line("  Type\tReason\tAge\tFrom\tMessage");
    layout.line("  ----\t------\t----\t----\t-------");
    let mut sorted: Vec<&Event> = events.iter().collect();
    sorted.sort_by_key(|event| {
        let last = last_seen(event);
        (last.seconds, last.nanos)
    });
    for event in sorted {
        let from = if event.source.component.is_empty() { &event.reporting_component } else { &event.source.component };
        let (kind, reason, age, message) = (&event.r#type, &event.reason, interval(event, now), event.message.trim());
        layout.line(format_args!("  {kind}\t{reason}\t{age}\t{from}\t{message}"));
    }
}

/// Formats the age of an event: `4s`, or `4s (x3 over 10s)` if it occurred several times.
fn interval(event: &Event, now: Timestamp) -> String {
    let first = age::since(&first_seen(event), now);
    if event.count > 1 {
        return format!("{} (x{} over {first})", age::since(&last_seen(event), now), event.count);
    }
    first
}
