//! Events expire. Kubernetes gives each one a lease of an hour (`--event-ttl`); here the leader removes those that are
//! older, so that all members forget them at the same revision.

use jiff::{SignedDuration, Timestamp};
use squall_api::core::v1::Event;
use squall_api::kinds::last_seen;
use squall_api::{Error, Kind, Object};
use uuid::Uuid;

use super::repeated::Attempt;
use super::transaction::{Draft, at, removal};
use super::{Registry, decode_stored};
use crate::keys;
use crate::request::WriteOptions;
use crate::store::State;

/// Kubernetes: how long an event is kept after it was seen last.
const LIFETIME: SignedDuration = SignedDuration::from_hours(1);
/// Most events that are removed at a time. The next round removes more.
const BATCH: usize = 1_000;

impl Registry {
    /// Removes expired events, if this member leads. Returns how many.
    pub async fn expire_events(&self, now: Timestamp) -> Result<usize, Error> {
        let status = self.member().status();
        if status.leader != Some(status.id) {
            return Ok(0);
        }
        let expired = expired(&self.member().view().state(), now)?;
        for (key, event, revision) in &expired {
            // An event that was seen again meanwhile stays.
            let change = Draft { compares: vec![at(key, *revision)], writes: removal(key, event) };
            let id = Uuid::new_v4().into_bytes();
            self.write(change, id, Attempt::Change(0), &WriteOptions::default()).await?;
        }
        Ok(expired.len())
    }
}

/// Returns the keys, the objects and the revisions of expired events.
fn expired(state: &State, now: Timestamp) -> Result<Vec<(String, Object, u64)>, Error> {
    let mut found = Vec::new();
    for (key, entry) in state.range(&keys::collection(Kind::Event, "")) {
        let object = decode_stored(Kind::Event, entry)?;
        if matches!(&object, Object::Event(event) if has_expired(event, now)) {
            found.push((key.to_owned(), object, entry.mod_revision));
        }
        if found.len() >= BATCH {
            break;
        }
    }
    Ok(found)
}

/// Whether an event is too old. Its author says when it was seen; a time to come counts for nothing.
fn has_expired(event: &Event, now: Timestamp) -> bool {
    let created = event.metadata.creation_timestamp.timestamp();
    let seen = Some(last_seen(event).timestamp()).filter(|seen| *seen <= now);
    now.duration_since(seen.unwrap_or(created).max(created)) > LIFETIME
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
            // An author with a wrong clock, or a liar.
            (1_000, 1_000_000, 4_601, true),
            (1_000, -1_000_000, 4_600, false),
        ] {
            assert_eq!(has_expired(&event(created, seen), at(now)), expected, "{created} {seen} {now}");
        }
        let unset = Event::default();
        assert!(has_expired(&unset, at(4_000_000)));
    }
}
