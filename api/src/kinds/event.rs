//! Event: a report about an object, for people to read.

use jiff::Timestamp;
use squall_proto::core::v1::Event;
use squall_proto::meta::v1::Time;

use super::{Kind, KindInfo, Resource, Scope};
use crate::field::{Errors, Path};
use crate::table::{Column, narrow, wide};
use crate::{age, names};

impl Resource for Event {
    const KIND: Kind = Kind::Event;
    const INFO: KindInfo = KindInfo {
        kind: "Event",
        group: "",
        version: "v1",
        plural: "events",
        singular: "event",
        short_names: &["ev"],
        scope: Scope::Namespaced,
        message: "core.v1.Event",
        name_rule: names::dns1123_subdomain,
        create_on_update: true,
        in_all: false,
    };
    const COLUMNS: &'static [Column] = &[
        narrow("Last Seen"),
        narrow("Type"),
        narrow("Reason"),
        narrow("Object"),
        wide("Subobject"),
        wide("Source"),
        narrow("Message"),
        wide("First Seen"),
        wide("Count").integer(),
        wide("Name"),
    ];

    fn validate(&self, errors: &mut Errors) {
        let namespace = &self.involved_object.namespace;
        let expected = if namespace.is_empty() { "default" } else { namespace };
        if self.metadata.namespace != expected {
            errors.invalid(
                &Path::new("involvedObject").child("namespace"),
                namespace,
                "does not match event.namespace",
            );
        }
    }

    fn selectable(&self, field: &str) -> Option<String> {
        let object = &self.involved_object;
        let value = match field {
            "involvedObject.kind" => &object.kind,
            "involvedObject.namespace" => &object.namespace,
            "involvedObject.name" => &object.name,
            "involvedObject.uid" => &object.uid,
            "involvedObject.apiVersion" => &object.api_version,
            "involvedObject.fieldPath" => &object.field_path,
            "reason" => &self.reason,
            "type" => &self.r#type,
            "source" => &self.source.component,
            "reportingComponent" => &self.reporting_component,
            _ => return None,
        };
        Some(value.clone())
    }

    fn row(&self, now: Timestamp) -> Vec<String> {
        let object = format!("{}/{}", self.involved_object.kind.to_ascii_lowercase(), self.involved_object.name);
        let source = match (self.source.component.as_str(), self.source.host.as_str()) {
            ("", _) => self.reporting_component.clone(),
            (component, "") => component.to_owned(),
            (component, host) => format!("{component}, {host}"),
        };
        vec![
            age::since(&last_seen(self), now),
            self.r#type.clone(),
            self.reason.clone(),
            object,
            self.involved_object.field_path.clone(),
            source,
            self.message.trim().to_owned(),
            age::since(&first_seen(self), now),
            self.count.max(1).to_string(),
            self.metadata.name.clone(),
        ]
    }
}

/// Returns when the event occurred last.
#[must_use]
pub fn last_seen(event: &Event) -> Time {
    if event.last_timestamp.is_zero() { first_seen(event) } else { event.last_timestamp }
}

/// Returns when the event occurred first.
#[must_use]
pub fn first_seen(event: &Event) -> Time {
    match (event.first_timestamp.is_zero(), event.event_time.is_zero()) {
        (false, _) => event.first_timestamp,
        (true, false) => Time { seconds: event.event_time.seconds, nanos: 0 },
        (true, true) => event.metadata.creation_timestamp,
    }
}
