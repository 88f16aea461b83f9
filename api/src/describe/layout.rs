//! Aligns columns like kubectl's descriptions: a column is two characters wider than its widest cell in a block of
//! adjacent lines.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::Write;

use squall_proto::core::v1::Toleration;
use squall_proto::meta::v1::{ObjectMeta, Time};
use tabwriter::TabWriter;

use crate::meta;
use crate::table::NONE;

const PADDING: usize = 2;
/// The value of a longer annotation goes on lines of its own.
const MAX_ANNOTATION: usize = 140;
/// An internal annotation of kubectl, which descriptions hide.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// A description under construction.
#[derive(Debug, Default)]
pub struct Layout {
    done: String,
    /// Lines that are not aligned yet; cells end with a tab.
    open: String,
}

impl Layout {
    /// Adds a line; tabs separate its cells.
    pub fn line(&mut self, text: impl Display) {
        self.open.push_str(&format!("{text}\n"));
    }

    /// Adds `Label:` and a value.
    pub fn field(&mut self, label: &str, value: impl Display) {
        self.line(format_args!("{label}:\t{value}"));
    }

    /// Adds a field, unless its value is empty.
    pub fn field_if_set(&mut self, label: &str, value: &str) {
        if !value.is_empty() {
            self.field(label, value);
        }
    }

    /// Adds a field with one `key=value` pair per line, such as `Labels:`.
    pub fn pairs(&mut self, label: &str, pairs: &BTreeMap<String, String>) {
        let lines: Vec<String> = pairs.iter().map(|(key, value)| format!("{key}={value}")).collect();
        self.list(label, &lines);
    }

    /// Adds a field with one value per line.
    pub fn list(&mut self, label: &str, lines: &[String]) {
        match lines.split_first() {
            None => self.field(label, NONE),
            Some((first, rest)) => {
                self.field(label, first);
                rest.iter().for_each(|line| self.line(format_args!("\t{line}")));
            }
        }
    }

    /// Adds annotations, one per line; long values go on lines of their own.
    pub fn annotations(&mut self, label: &str, annotations: &BTreeMap<String, String>) {
        let mut lines = Vec::new();
        for (key, value) in annotations.iter().filter(|(key, _)| *key != LAST_APPLIED) {
            let value = value.strip_suffix('\n').unwrap_or(value);
            if key.len().saturating_add(value.len()).saturating_add(2) > MAX_ANNOTATION || value.contains('\n') {
                lines.push(format!("{key}:"));
                lines.extend(value.split('\n').map(|line| format!("  {}", shortened(line, MAX_ANNOTATION - 2))));
            } else {
                lines.push(format!("{key}: {value}"));
            }
        }
        self.list(label, &lines);
    }

    /// Adds tolerations, one per line, sorted by key.
    pub fn tolerations(&mut self, label: &str, tolerations: &[Toleration]) {
        let mut sorted: Vec<&Toleration> = tolerations.iter().collect();
        sorted.sort_by(|one, other| one.key.cmp(&other.key));
        let lines: Vec<String> = sorted.into_iter().map(toleration_text).collect();
        self.list(label, &lines);
    }

    /// Adds name, namespace, labels and annotations, with which most descriptions begin.
    pub fn head(&mut self, meta: &ObjectMeta) {
        self.identity(meta);
        self.pairs("Labels", &meta.labels);
        self.annotations("Annotations", &meta.annotations);
    }

    /// Adds name and namespace.
    pub fn identity(&mut self, meta: &ObjectMeta) {
        self.field("Name", &meta.name);
        if !meta.namespace.is_empty() {
            self.field("Namespace", &meta.namespace);
        }
    }

    /// Adds `Controlled By: ReplicaSet/kubia-59d857b444`, if the object has a controller.
    pub fn controller(&mut self, meta: &ObjectMeta) {
        if let Some(owner) = meta::controller_of(meta) {
            self.field("Controlled By", format_args!("{}/{}", owner.kind, owner.name));
        }
    }

    /// Aligns the lines so far. Later lines are aligned separately.
    pub fn settle(&mut self) {
        let mut writer = TabWriter::new(Vec::new()).minwidth(0).padding(PADDING);
        // Writing to memory does not fail, and the output is text because the input is.
        let aligned = writer.write_all(self.open.as_bytes()).ok().and_then(|()| writer.into_inner().ok());
        self.done.push_str(&String::from_utf8_lossy(&aligned.unwrap_or_default()));
        self.open.clear();
    }

    /// Returns the lines that are not aligned yet, with their tabs.
    #[must_use]
    pub fn unaligned(self) -> String {
        self.open
    }

    /// Returns the whole text, aligned.
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

/// Formats a time in UTC (Go: `RFC1123Z`): `Mon, 23 Nov 2026 21:30:07 +0000`.
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
