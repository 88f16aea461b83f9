//! Records events: reports about objects, for people to read. Recording never blocks; events that cannot be created are
//! dropped.

use std::collections::HashMap;

use jiff::Timestamp;
use prost_types::Any;
use squall_api::Object;
use squall_api::core::v1::{Event, EventSource, ObjectReference};
use squall_api::error::Reason;
use squall_api::happening::Happening;
use squall_api::metav1::v1::Time;
use tokio::sync::mpsc;

use crate::api::Api;
use crate::client::Client;
use crate::correlate::{Correlated, Correlator};
use crate::error::Error;

/// The capacity of the queue of events (Kubernetes: 1,000).
const QUEUE: usize = 1_000;
/// The maximum number of events in a batch.
const BATCH: usize = 128;
/// How many events are remembered, so that a repetition increments a count instead of creating a new event.
const REMEMBERED: usize = 4_096;

/// Records events. Clones share the queue.
#[derive(Clone)]
pub struct Recorder {
    queue: mpsc::Sender<(Happening, Timestamp)>,
}

impl Recorder {
    /// Creates a recorder for a component (`deployment-controller`) on a host (a node's name, or empty). The returned
    /// future creates the events; the caller must run it.
    pub fn new(client: Client, component: &'static str, host: &str) -> (Self, impl Future<Output = ()> + use<>) {
        let (queue, receiver) = mpsc::channel(QUEUE);
        let source = EventSource { component: component.to_owned(), host: host.to_owned() };
        (Self { queue }, tell_all(client, source, receiver))
    }

    /// Queues an event; drops it if the queue is full.
    pub fn record(&self, happening: Happening) {
        if let Err(error) = self.queue.try_send((happening, Timestamp::now())) {
            tracing::debug!(%error, "dropped an event");
        }
    }
}

/// Creates the queued events, many at a time. A repetition increments the count of the earlier event.
async fn tell_all(client: Client, source: EventSource, mut receiver: mpsc::Receiver<(Happening, Timestamp)>) {
    let mut told: HashMap<Happening, Event> = HashMap::new();
    let (mut correlator, mut waiting) = (Correlator::default(), Vec::new());
    while receiver.recv_many(&mut waiting, BATCH).await > 0 {
        let mut new: HashMap<Happening, Event> = HashMap::new();
        for (happening, at) in waiting.drain(..) {
            let Some(Correlated { key, message }) = correlator.correlate(happening, at) else { continue };
            if let Some(event) = new.get_mut(&key) {
                count(event, message, at);
            } else if let Some(event) = told.get_mut(&key) {
                count(event, message, at);
                let Err(error) = repeat(&client, event).await else { continue };
                // The earlier one has expired.
                if error.is(Reason::NotFound) {
                    let message = event.message.clone();
                    let event = self::event(&source, &key, message, at);
                    new.insert(key.clone(), event);
                } else {
                    tracing::debug!(%error, "could not update a repeated event");
                }
                told.remove(&key);
            } else {
                let event = event(&source, &key, message, at);
                new.insert(key, event);
            }
        }
        tell_new(&client, &new).await;
        if told.len().saturating_add(new.len()) > REMEMBERED {
            told.clear();
        }
        told.extend(new);
    }
}

/// Increments the count and sets the time and the message of the last occurrence.
fn count(event: &mut Event, message: String, at: Timestamp) {
    event.count = event.count.saturating_add(1);
    event.message = message;
    event.last_timestamp = Time::from_timestamp(at);
}

async fn repeat(client: &Client, event: &Event) -> Result<(), Error> {
    let api: Api<Event> = Api::new(client.clone(), &event.metadata.namespace);
    let last = squall_proto::format_rfc3339_seconds(event.last_timestamp.timestamp());
    let patch = serde_json::json!({"count": event.count, "lastTimestamp": last, "message": event.message});
    api.patch(&event.metadata.name, &patch).await.map(drop)
}

async fn tell_new(client: &Client, new: &HashMap<Happening, Event>) {
    let mut by_namespace: HashMap<&str, Vec<Any>> = HashMap::new();
    for event in new.values() {
        by_namespace.entry(&event.metadata.namespace).or_default().push(Object::from(event.clone()).to_any());
    }
    for (namespace, events) in by_namespace {
        match client.record(namespace, events).await {
            Ok(errors) => errors.iter().for_each(|error| tracing::debug!(error, "could not create an event")),
            Err(error) => tracing::debug!(%error, "could not create events"),
        }
    }
}

fn event(source: &EventSource, happening: &Happening, message: String, now: Timestamp) -> Event {
    let object = &happening.object;
    let namespace = if object.namespace.is_empty() { "default" } else { &object.namespace };
    let mut event = Event {
        involved_object: ObjectReference {
            api_version: object.api_version.clone(),
            kind: object.kind.to_owned(),
            namespace: object.namespace.clone(),
            name: object.name.clone(),
            uid: object.uid.clone(),
            field_path: object.field_path.clone(),
            ..ObjectReference::default()
        },
        reason: happening.reason.to_owned(),
        message,
        r#type: format!("{:?}", happening.event_type),
        source: source.clone(),
        first_timestamp: Time::from_timestamp(now),
        last_timestamp: Time::from_timestamp(now),
        count: 1,
        reporting_component: source.component.clone(),
        reporting_instance: source.host.clone(),
        ..Event::default()
    };
    // Kubernetes: the object's name and the time in hexadecimal nanoseconds.
    event.metadata.name = format!("{}.{:x}", object.name, now.as_nanosecond());
    event.metadata.namespace = namespace.to_owned();
    event
}
