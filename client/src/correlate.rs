//! Keeps events few: similar ones are combined, and one object has only so many (Kubernetes: `EventCorrelator`).

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use jiff::Timestamp;
use squall_api::happening::{EventType, Happening, ObjectId};

/// Similar events are combined from this number on, if they come within this time.
const SIMILAR: usize = 10;
const SIMILAR_WITHIN: Duration = Duration::from_secs(600);
/// How many events of an object are recorded at once, and how long one more takes.
const BURST: f64 = 25.0;
const REFILL: f64 = 300.0;
/// How many objects are remembered.
const REMEMBERED: usize = 4_096;

/// The begin of the message of a combined event.
const COMBINED: &str = "(combined from similar events): ";

/// An event as it is to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correlated {
    /// Events of the same key are one event, which is counted.
    pub key: Happening,
    /// Its message, which is the newest one if similar events are combined.
    pub message: String,
}

/// Remembers the events of a component.
#[derive(Debug, Default)]
pub struct Correlator {
    similar: HashMap<(ObjectId, EventType, &'static str), Similar>,
    buckets: HashMap<ObjectId, Bucket>,
}

/// Events that differ in their messages.
#[derive(Debug)]
struct Similar {
    messages: HashSet<String>,
    last: Timestamp,
}

/// The events that an object may still have.
#[derive(Debug)]
struct Bucket {
    left: f64,
    last: Timestamp,
}

impl Correlator {
    /// Decides how an event is recorded; `None` if its object has too many.
    pub fn correlate(&mut self, happening: Happening, at: Timestamp) -> Option<Correlated> {
        if self.similar.len() > REMEMBERED || self.buckets.len() > REMEMBERED {
            self.similar.clear();
            self.buckets.clear();
        }
        let object = ObjectId { field_path: String::new(), ..happening.object.clone() };
        if !self.spend(&object, at) {
            return None;
        }
        let is_combined = self.note((object.clone(), happening.event_type, happening.reason), &happening.message, at);
        if !is_combined {
            let message = happening.message.clone();
            return Some(Correlated { key: happening, message });
        }
        let message = format!("{COMBINED}{}", happening.message);
        Some(Correlated { key: Happening { object, message: COMBINED.to_owned(), ..happening }, message })
    }

    /// Notes a message. Reports whether it is one too many.
    fn note(&mut self, key: (ObjectId, EventType, &'static str), message: &str, at: Timestamp) -> bool {
        let similar = self.similar.entry(key).or_insert_with(|| Similar { messages: HashSet::new(), last: at });
        if at.duration_since(similar.last).unsigned_abs() > SIMILAR_WITHIN {
            similar.messages.clear();
        }
        similar.last = at;
        if similar.messages.contains(message) {
            return false;
        }
        let is_full = similar.messages.len().saturating_add(1) >= SIMILAR;
        if !is_full {
            similar.messages.insert(message.to_owned());
        }
        is_full
    }

    /// Takes one of the events that an object may still have.
    fn spend(&mut self, object: &ObjectId, at: Timestamp) -> bool {
        let bucket = self.buckets.entry(object.clone()).or_insert(Bucket { left: BURST, last: at });
        let passed = at.duration_since(bucket.last).as_secs_f64().max(0.0);
        bucket.left = (bucket.left + passed / REFILL).min(BURST);
        bucket.last = at;
        let may = bucket.left >= 1.0;
        if may {
            bucket.left -= 1.0;
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn happening(message: &str) -> Happening {
        let object = ObjectId { kind: "Pod", name: "a".to_owned(), ..ObjectId::default() };
        Happening { object, event_type: EventType::Warning, reason: "FailedCreate", message: message.to_owned() }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_tenth_message_and_those_after_it_are_one_event() {
        let mut correlator = Correlator::default();
        let mut keys = HashSet::new();
        let mut last = String::new();
        for number in 0..20 {
            let correlated = correlator.correlate(happening(&format!("pod {number}")), at(number)).unwrap();
            keys.insert(correlated.key);
            last = correlated.message;
        }
        assert_eq!((keys.len(), last.as_str()), (10, "(combined from similar events): pod 19"));
        let later = correlator.correlate(happening("pod 20"), at(10_000)).unwrap();
        assert_eq!(later.message, "pod 20", "those before are long ago");
    }

    #[test]
    fn the_same_message_is_never_combined() {
        let mut correlator = Correlator::default();
        let keys: HashSet<Happening> =
            (0..20).filter_map(|second| correlator.correlate(happening("no"), at(second))).map(|it| it.key).collect();
        assert_eq!(keys, HashSet::from([happening("no")]));
    }

    #[test]
    fn an_object_has_a_burst_of_events_and_then_one_every_five_minutes() {
        let mut correlator = Correlator::default();
        let mut recorded = |seconds: std::ops::Range<i64>| {
            seconds.filter(|second| correlator.correlate(happening("no"), at(*second)).is_some()).count()
        };
        assert_eq!(recorded(0..100), 25);
        assert_eq!(recorded(100..700), 2);
    }
}
