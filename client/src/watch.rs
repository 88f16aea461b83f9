//! A watch without end. When its stream breaks, it resumes on another apiserver. When its revision is too old, it
//! starts over with all existing objects.

use std::time::Duration;

use squall_api::error::Reason;
use squall_api::meta::parse_resource_version;
use squall_api::{Kind, Object};
use squall_proto::squall::api::v1 as proto;
use squall_proto::squall::api::v1::watch_reply::Type;
use tonic::Streaming;

use crate::client::Client;
use crate::error::Error;
use crate::resource::ResourceRef;
use crate::status::api_error;

/// The delays before a broken watch is retried.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The objects to watch.
#[derive(Debug, Clone)]
pub struct Selection {
    /// The kind of the objects.
    pub kind: Kind,
    /// Empty for all namespaces.
    pub namespace: String,
    /// A label selector; empty for all objects.
    pub labels: String,
    /// A field selector; empty for all objects.
    pub fields: String,
}

impl Selection {
    /// Selects all objects of a kind.
    #[must_use]
    pub fn all(kind: Kind) -> Self {
        Self { kind, namespace: String::new(), labels: String::new(), fields: String::new() }
    }
}

/// An event of a watch.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The watch starts over: an object that is not delivered before [`Event::Complete`] is gone.
    Begin,
    /// All existing objects have been delivered, as of this revision.
    Complete(u64),
    /// The object is new or has changed, at this revision.
    Applied(Box<Object>, u64),
    /// The object is gone or no longer selected. This is its last state, and the revision of the change.
    Deleted(Box<Object>, u64),
    /// All changes of the collection up to this revision have been delivered.
    Progress(u64),
}

/// A watch that reconnects by itself.
pub struct Watch {
    client: Client,
    selection: Selection,
    /// The index of the apiserver, and the stream from it.
    stream: Option<(usize, Streaming<proto::WatchReply>)>,
    /// The revision to resume from; `None` to start over.
    position: Option<u64>,
    pause: Duration,
    /// The next event, which waits for the client's gate.
    held: Option<Event>,
}

impl Watch {
    /// Creates a watch that starts with all existing objects.
    #[must_use]
    pub fn new(client: Client, selection: Selection) -> Self {
        Self { client, selection, stream: None, position: None, pause: FIRST_PAUSE, held: None }
    }

    /// Creates a watch of the changes after a revision.
    #[must_use]
    pub fn after(client: Client, selection: Selection, revision: u64) -> Self {
        Self { position: Some(revision), ..Self::new(client, selection) }
    }

    /// Waits for the next event. Fails only on an error that a retry cannot fix.
    pub async fn next(&mut self) -> Result<Event, Error> {
        if self.held.is_none() {
            self.held = Some(self.receive().await?);
        }
        // If the caller stops waiting here, the event stays in `held`.
        if let Some(Event::Applied(object, _) | Event::Deleted(object, _)) = &self.held {
            self.client.pass_gate(object).await;
        }
        match self.held.take() {
            Some(event) => Ok(event),
            None => self.receive().await,
        }
    }

    async fn receive(&mut self) -> Result<Event, Error> {
        loop {
            let Some((place, stream)) = &mut self.stream else {
                if self.begin().await? && self.position.is_none() {
                    return Ok(Event::Begin);
                }
                continue;
            };
            let place = *place;
            match stream.message().await {
                Ok(Some(reply)) => {
                    self.pause = FIRST_PAUSE;
                    if let Some(event) = self.read(reply)? {
                        return Ok(event);
                    }
                }
                Ok(None) => self.stream = None,
                Err(status) => {
                    self.stream = None;
                    let error = api_error(&status);
                    if error.is(Reason::Expired) {
                        self.position = None;
                    } else {
                        tracing::debug!(kind = self.selection.kind.info().kind, %error, "a watch stream broke");
                        self.client.leave(place);
                    }
                }
            }
        }
    }

    /// Opens the stream. Returns false if the caller should try again.
    async fn begin(&mut self) -> Result<bool, Error> {
        let request = proto::WatchRequest {
            resource: Some(ResourceRef::collection(self.selection.kind, &self.selection.namespace).to_proto()),
            label_selector: self.selection.labels.clone(),
            field_selector: self.selection.fields.clone(),
            resource_version: self.position.map(|position| position.to_string()).unwrap_or_default(),
            bookmarks: true,
            ..proto::WatchRequest::default()
        };
        match self.client.watch(request).await {
            Ok(stream) => {
                self.stream = Some(stream);
                return Ok(true);
            }
            Err(error) if error.is(Reason::Expired) => self.position = None,
            Err(Error::Api(error)) if !matches!(error.reason(), Some(Reason::ServiceUnavailable | Reason::Timeout)) => {
                return Err(error.into());
            }
            Err(error) => {
                tracing::debug!(kind = self.selection.kind.info().kind, %error, "could not open a watch");
                tokio::time::sleep(self.pause).await;
                self.pause = self.pause.saturating_mul(2).min(LONGEST_PAUSE);
            }
        }
        Ok(false)
    }

    fn read(&mut self, reply: proto::WatchReply) -> Result<Option<Event>, Error> {
        let revision = parse_resource_version(&reply.resource_version)?;
        let initial = self.position.is_none();
        let object = |reply: &proto::WatchReply| -> Result<Box<Object>, Error> {
            let any =
                reply.object.as_ref().ok_or_else(|| squall_api::Error::internal("the watch event has no object"))?;
            Ok(Box::new(Object::from_any(any)?))
        };
        if !initial {
            self.position = Some(revision);
        }
        Ok(match reply.r#type() {
            Type::Added | Type::Modified => Some(Event::Applied(object(&reply)?, revision)),
            Type::Deleted => Some(Event::Deleted(object(&reply)?, revision)),
            Type::Bookmark if reply.initial_events_end => {
                self.position = Some(revision);
                Some(Event::Complete(revision))
            }
            Type::Bookmark => Some(Event::Progress(revision)),
            Type::Unknown => None,
        })
    }
}
