//! Events expire. Kubernetes gives each one a lease of an hour (`--event-ttl`); here the leader removes those that are
//! older, so that all members forget them at the same revision.

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use squall_api::core::v1::Event;
use squall_api::kinds::last_seen;
use squall_api::{Error, Kind, Object};
use uuid::Uuid;

use super::repeated::Attempt;
use super::transaction::{Draft, Written, at, removal};
use super::{Registry, decode_stored};
use crate::fairness::turn;
use crate::keys;
use crate::request::WriteOptions;
use crate::store::{Revision, State};

/// Kubernetes: how long an event is kept after it was seen last.
const LIFETIME: SignedDuration = SignedDuration::from_hours(1);
/// Number of events to look at before anything else gets its turn.
const STEP: usize = 500;

impl Registry {
    /// Removes expired events, if this member leads. Returns how many.
    pub async fn expire_events(&self, now: Timestamp) -> Result<usize, Error> {
        let status = self.member().status();
        let mut removed = 0_usize;
        if status.leader != Some(status.id) {
            return Ok(removed);
        }
        let state = self.member().view().state();
        let mut start = String::new();
        while let Some((expired, next)) = step(&state, &start, now) {
            let removals = expired.into_iter().map(|event| self.expire(event));
            for outcome in join_all(removals).await {
                removed = removed.saturating_add(usize::from(outcome?));
            }
            start = next;
            // Everything else comes in between.
            drop(turn().await);
        }
        Ok(removed)
    }

    /// Removes an event. Returns whether it was still as it was read: one that was seen again meanwhile stays.
    async fn expire(&self, Expired { key, event, revision }: Expired) -> Result<bool, Error> {
        let change = Draft { compares: vec![at(&key, revision)], writes: removal(&key, &event) };
        let id = Uuid::new_v4().into_bytes();
        let written = self.write(change, id, Attempt::Change(0), &WriteOptions::default()).await?;
        Ok(matches!(written, Written::At(_)))
    }
}

/// An event that has expired.
struct Expired {
    key: String,
    event: Object,
    /// Revision at which it was read.
    revision: Revision,
}

/// Looks at the next events from a key on. Returns those that have expired and where to go on, or `None` at the end.
fn step(state: &State, start: &str, now: Timestamp) -> Option<(Vec<Expired>, String)> {
    let events = keys::collection(Kind::Event, "");
    let (mut expired, mut last) = (Vec::new(), None);
    for (key, entry) in state.range_from(&events, start).take(STEP) {
        last = Some(key);
        match decode_stored(Kind::Event, entry) {
            Ok(Object::Event(event)) if has_expired(&event, now) => {
                expired.push(Expired { key: key.to_owned(), event: (*event).into(), revision: entry.mod_revision });
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(key, %error, "an event cannot be read"),
        }
    }
    last.map(|last| (expired, format!("{last}\0")))
}

/// Whether an event is too old. Its author says when it was seen; a clock that is ahead by more than an hour counts for
/// nothing.
fn has_expired(event: &Event, now: Timestamp) -> bool {
    let created = event.metadata.creation_timestamp.timestamp();
    let series = event.series.as_ref().map(|series| series.last_observed_time.timestamp());
    let seen =
        series.into_iter().chain([last_seen(event).timestamp()]).filter(|seen| seen.duration_since(now) <= LIFETIME);
    let last = seen.chain([created]).max().unwrap_or(created);
    now.duration_since(last) > LIFETIME
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_api::metav1::v1::Time;

    #[test]
    fn an_event_expires_an_hour_after_it_was_seen_last() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let event = |created, seen| {
            let mut event = Event { last_timestamp: Time::from_timestamp(at(seen)), ..Event::default() };
            event.metadata.creation_timestamp = Time::from_timestamp(at(created));
            event
        };
        for (created, seen, now, expected) in [
            (1_000, 1_000, 4_600, false),
            (1_000, 1_000, 4_601, true),
            (1_000, 4_000, 7_600, false),
            (1_000, 4_000, 7_601, true),
            // Authors whose clocks are ahead by some seconds and by days.
            (1_000, 9_010, 9_000, false),
            (1_000, 1_000_000, 4_601, true),
            (1_000, -1_000_000, 4_600, false),
        ] {
            assert_eq!(has_expired(&event(created, seen), at(now)), expected, "{created} {seen} {now}");
        }
        let unset = Event::default();
        assert!(has_expired(&unset, at(4_000_000)));
    }
}
