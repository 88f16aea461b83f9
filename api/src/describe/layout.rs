//! Lines with aligned columns, as kubectl lays its descriptions out: a column is as wide as the widest of the cells that
//! stand above each other in neighbouring lines, and two more.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::Write;

use squall_proto::core::v1::Toleration;
use squall_proto::meta::v1::{ObjectMeta, Time};
use tabwriter::TabWriter;

use crate::meta;
use crate::table::NONE;

const PADDING: usize = 2;
/// An annotation longer than this stands on lines of its own.
const MAX_ANNOTATION: usize = 140;
/// Kept by kubectl for itself; a description hides it.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// A description as it grows.
#[derive(Debug, Default)]
pub struct Layout {
    done: String,
    /// Lines whose columns are not settled yet; cells end with a tab.
    open: String,
}

impl Layout {
    /// A line; tabs separate its cells.
    pub fn line(&mut self, text: impl Display) {
        self.open.push_str(&format!("{text}\n"));
    }

    /// `Label:` and a value.
    pub fn field(&mut self, label: &str, value: impl Display) {
        self.line(format_args!("{label}:\t{value}"));
    }

    /// A field that is left out when its text is empty.
    pub fn field_if_set(&mut self, label: &str, value: &str) {
        if !value.is_empty() {
            self.field(label, value);
        }
    }

    /// `Labels:` with one pair a line.
    pub fn pairs(&mut self, label: &str, pairs: &BTreeMap<String, String>) {
        let lines: Vec<String> = pairs.iter().map(|(key, value)| format!("{key}={value}")).collect();
        self.list(label, &lines);
    }

    /// A field whose values stand under each other.
    pub fn list(&mut self, label: &str, lines: &[String]) {
        match lines.split_first() {
            None => self.field(label, NONE),
            Some((first, rest)) => {
                self.field(label, first);
                rest.iter().for_each(|line| self.line(format_args!("\t{line}")));
            }
        }
    }

    /// `Annotations:`, one a line; long ones on lines of their own.
    pub fn annotations(&mut self, label: &str, annotations: &BTreeMap<String, String>) {
        let mut lines = Vec::new();
        for (key, value) in annotations.iter().filter(|(key, _)| *key != LAST_APPLIED) {
            let value = value.strip_suffix('\n').unwrap_or(value);
            if key.len() + value.len() + 2 > MAX_ANNOTATION || value.contains('\n') {
                lines.push(format!("{key}:"));
                lines.extend(value.split('\n').map(|line| format!("  {}", shortened(line, MAX_ANNOTATION - 2))));
            } else {
                lines.push(format!("{key}: {value}"));
            }
        }
        self.list(label, &lines);
    }

    /// `Tolerations:`, one a line, by key.
    pub fn tolerations(&mut self, label: &str, tolerations: &[Toleration]) {
        let mut sorted: Vec<&Toleration> = tolerations.iter().collect();
        sorted.sort_by(|one, other| one.key.cmp(&other.key));
        let lines: Vec<String> = sorted.into_iter().map(toleration_text).collect();
        self.list(label, &lines);
    }

    /// Name, namespace, labels and annotations, as most descriptions begin.
    pub fn head(&mut self, meta: &ObjectMeta) {
        self.identity(meta);
        self.pairs("Labels", &meta.labels);
        self.annotations("Annotations", &meta.annotations);
    }

    /// Name and namespace.
    pub fn identity(&mut self, meta: &ObjectMeta) {
        self.field("Name", &meta.name);
        if !meta.namespace.is_empty() {
            self.field("Namespace", &meta.namespace);
        }
    }

    /// `Controlled By: ReplicaSet/kubia-59d857b444`, if anything does.
    pub fn controller(&mut self, meta: &ObjectMeta) {
        if let Some(owner) = meta::controller_of(meta) {
            self.field("Controlled By", format_args!("{}/{}", owner.kind, owner.name));
        }
    }

    /// Settles the columns: what follows is aligned by itself.
    pub fn settle(&mut self) {
        let mut writer = TabWriter::new(Vec::new()).minwidth(0).padding(PADDING);
        // Writing to memory does not fail, and what went in as text comes out as text.
        let aligned = writer.write_all(self.open.as_bytes()).ok().and_then(|()| writer.into_inner().ok());
        self.done.push_str(&String::from_utf8_lossy(&aligned.unwrap_or_default()));
        self.open.clear();
    }

    /// What was written since the columns were settled last, with its tabs.
    #[must_use]
    pub fn unaligned(self) -> String {
        self.open
    }

    /// The whole text.
    #[must_use]
    pub fn finish(mut self) -> String {
        self.settle();
        self.done
    }
}

fn shortened(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

fn toleration_text(toleration: &Toleration) -> String {
    let mut text = toleration.key.clone();
    if !toleration.value.is_empty() {
        text.push_str(&format!("={}", toleration.value));
    }
    if !toleration.effect.is_empty() {
        text.push_str(&format!(":{}", toleration.effect));
    }
    if toleration.operator == "Exists" && toleration.value.is_empty() {
        text.push_str(if text.is_empty() { "op=Exists" } else { " op=Exists" });
    }
    if let Some(seconds) = toleration.toleration_seconds {
        text.push_str(&format!(" for {seconds}s"));
    }
    text
}

/// `Mon, 23 Nov 2026 21:30:07 +0000` (Go: `RFC1123Z`), in UTC.
#[must_use]
pub fn moment(time: &Time) -> String {
    time.timestamp().strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_end_where_a_line_has_no_cell() {
        let mut layout = Layout::default();
        layout.field("Name", "kubia");
        layout.field("CreationTimestamp", "now");
        layout.line("Pod Template:");
        layout.field("  Labels", "app=kubia");
        assert_eq!(
            layout.finish(),
            "Name:               kubia\nCreationTimestamp:  now\nPod Template:\n  Labels:  app=kubia\n"
        );
    }

    #[test]
    fn long_annotations_stand_below_their_key_and_the_last_applied_is_hidden() {
        let mut layout = Layout::default();
        let long = "x".repeat(200);
        let annotations = [("a", "1"), ("b", long.as_str()), ("c", "two\nlines\n"), (LAST_APPLIED, "{}")]
            .map(|(k, v)| (k.to_owned(), v.to_owned()));
        layout.annotations("Annotations", &annotations.into());
        let expected = format!(
            "Annotations:  a: 1\n              b:\n                {}...\n              c:\n                two\n                lines\n",
            "x".repeat(138)
        );
        assert_eq!(layout.finish(), expected);
    }

    #[test]
    fn tolerations_read_as_in_kubectl() {
        let toleration = |key: &str, operator: &str, value: &str, seconds| Toleration {
            key: key.to_owned(),
            operator: operator.to_owned(),
            value: value.to_owned(),
            effect: if key.is_empty() { String::new() } else { "NoExecute".to_owned() },
            toleration_seconds: seconds,
        };
        assert_eq!(toleration_text(&toleration("a/b", "Exists", "", Some(300))), "a/b:NoExecute op=Exists for 300s");
        assert_eq!(toleration_text(&toleration("a", "Equal", "v", None)), "a=v:NoExecute");
        assert_eq!(toleration_text(&toleration("", "Exists", "", None)), "op=Exists");
    }
}
