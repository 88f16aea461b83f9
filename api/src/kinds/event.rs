//! Event: a report about an object, for people to read.

use jiff::Timestamp;
use squall_proto::core::v1::Event;
use squall_proto::meta::v1::Time;

use super::{Kind, KindInfo, Resource, Scope};
use crate::field::{Errors, Path};
use crate::table::{Column, narrow, wide};
use crate::{age, names};

/// Kubernetes: who reports a new event, and what.
fn validate_report(event: &Event, errors: &mut Errors) {
    let component = Path::new("reportingComponent");
    if event.reporting_component.is_empty() {
        errors.required(&component, "");
    }
    errors.named(&component, &event.reporting_component, names::qualified_name);
    let fields =
        [("reportingInstance", &event.reporting_instance), ("action", &event.action), ("reason", &event.reason)];
    for (name, text) in fields {
        if text.is_empty() {
            errors.required(&Path::new(name), "");
        }
        validate_length(name, text, 128, errors);
    }
    validate_length("message", &event.message, 1_024, errors);
}

fn validate_length(field: &str, text: &str, most: usize, errors: &mut Errors) {
    if text.len() > most {
        errors.invalid(&Path::new(field), &"", &format!("can have at most {most} characters"));
    }
}

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
        let is_new = !self.event_time.is_zero();
        let matches = match (self.metadata.namespace.as_str(), namespace.as_str()) {
            ("default", "") => true,
            ("kube-system", "") => is_new,
            (_, "") => false,
            (own, other) => is_new || own == other,
        };
        if !matches {
            let path = Path::new("involvedObject").child("namespace");
            errors.invalid(&path, namespace, "does not match event.namespace");
        }
        if is_new {
            validate_report(self, errors);
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
