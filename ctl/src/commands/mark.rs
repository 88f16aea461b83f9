//! `ctl label` and `ctl annotate`.

use std::collections::BTreeMap;

use squall_api::Object;

use super::record::{CHANGE_CAUSE, Cause, record_cause, warn_of_record};
use crate::cli::MarkArgs;
use crate::context::Context;
use crate::failure::Failure;
use crate::modify::{Existing, modify};
use crate::output::{Changes, line, named};
use crate::selection::{self, Wanted};

/// The kind of metadata to set on objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    Label,
    Annotation,
}

/// The keys to set and the keys to remove.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wishes {
    set: BTreeMap<String, String>,
    remove: Vec<String>,
}

impl Mark {
    fn of(self, object: &mut Object) -> &mut BTreeMap<String, String> {
        match self {
            Self::Label => &mut object.meta_mut().labels,
            Self::Annotation => &mut object.meta_mut().annotations,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Label => "label",
            Self::Annotation => "annotation",
        }
    }
}

/// Sets and removes labels or annotations on each object.
pub async fn run(context: &Context, mark: Mark, args: MarkArgs) -> Result<(), Failure> {
    warn_of_record(Cause::of(args.change.record));
    let changes = Changes::of(&args.change)?;
    let is_wish = |word: &&String| word.contains('=') || word.ends_with('-');
    let at = args.words.iter().position(|word| is_wish(&word)).unwrap_or(args.words.len());
    let (what, words) = args.words.split_at(at);
    let wishes = wishes(words, mark)?;
    if !args.list && wishes == Wishes::default() {
        return Err(Failure::error(format!("at least one {} update is required", mark.word())));
    }
    if what.is_empty() && args.filename.is_empty() {
        return Err(Failure::error(
            "one or more resources must be specified as <resource> <name> or <resource>/<name>",
        ));
    }
    let mut failures = Vec::new();
    let wanted = Wanted {
        what,
        filename: &args.filename,
        selector: args.selector.as_deref(),
        field_selector: args.field_selector.as_deref(),
        all: args.all,
        all_namespaces: args.all_namespaces,
    };
    for chosen in selection::choose(context, wanted, &mut failures).await? {
        let resource = &chosen.resource;
        let mut missing = Vec::new();
        let changed = modify(context, resource, (changes.dry_run, args.change.field_manager.as_deref()), |object| {
            if let Some(version) = args.resource_version.clone() {
                object.meta_mut().resource_version = version;
            }
            let before = object.clone();
            change(mark.of(object), &wishes, Existing::of(args.overwrite), mark, &mut missing)?;
            if *object != before {
                record_cause(object, Cause::of(args.change.record));
            }
            Ok(())
        })
        .await;
        missing.iter().for_each(|key| line(&format!("{} {key:?} not found.", mark.word())));
        match changed {
            Ok(Some(object)) => changes.tell(&object, done(mark, &wishes, missing.len()))?,
            Ok(None) => {
                let object =
                    selection::get(&context.client, resource.kind, &resource.namespace, &resource.name).await?;
                if args.list {
                    list(mark, object);
                } else {
                    changes.tell(&object, if mark == Mark::Label { "not labeled" } else { "annotated" })?;
                }
            }
            Err(failure) => failures.push(failure),
        }
    }
    Failure::all(failures)
}

fn done(mark: Mark, wishes: &Wishes, missing: usize) -> &'static str {
    match mark {
        Mark::Annotation => "annotated",
        Mark::Label if wishes.set.is_empty() && missing < wishes.remove.len() => "unlabeled",
        Mark::Label => "labeled",
    }
}

fn list(mark: Mark, mut object: Object) {
    let name = named(&object);
    line(&format!("Listing {}s for {name}:", mark.word()));
    mark.of(&mut object).iter().for_each(|(key, value)| line(&format!("{key}={value}")));
}

fn wishes(words: &[String], mark: Mark) -> Result<Wishes, Failure> {
    let mut wishes = Wishes::default();
    for word in words {
        match (word.split_once('='), word.strip_suffix('-')) {
            (Some((key, value)), _) if !key.is_empty() => {
                wishes.set.insert(key.to_owned(), value.to_owned());
            }
            (None, Some(key)) if !key.is_empty() => wishes.remove.push(key.to_owned()),
            _ => {
                return Err(Failure::error(format!(
                    "unexpected {} {word:?}: KEY=VALUE sets one, KEY- removes one",
                    mark.word()
                )));
            }
        }
    }
    match wishes.remove.iter().find(|key| wishes.set.contains_key(*key)) {
        Some(both) => Err(Failure::error(format!(
            "cannot modify {} {both:?} and also remove it in the same command",
            mark.word()
        ))),
        None => Ok(wishes),
    }
}

fn change(
    marks: &mut BTreeMap<String, String>,
    wishes: &Wishes,
    existing: Existing,
    mark: Mark,
    missing: &mut Vec<String>,
) -> Result<(), Failure> {
    missing.clear();
    let other = |(key, value): (&String, &String)| {
        // kubectl: the change cause may always be overwritten.
        let replaceable = mark == Mark::Annotation && key == CHANGE_CAUSE;
        let old = marks.get(key).filter(|old| *old != value && !replaceable);
        old.map(|old| (key.clone(), old.clone()))
    };
    let taken: Vec<(String, String)> = wishes.set.iter().filter_map(other).collect();
    if existing == Existing::Kept && !taken.is_empty() {
        let texts: Vec<String> =
            taken.iter().map(|(key, old)| format!("'{key}' already has a value ({old})")).collect();
        return Err(Failure::error(match mark {
            Mark::Label => format!("{}, and --overwrite is false", texts.join(", ")),
            Mark::Annotation => {
                format!("--overwrite is false but found the following declared annotation(s): {}", texts.join("; "))
            }
        }));
    }
    for key in &wishes.remove {
        if marks.remove(key).is_none() {
            missing.push(key.clone());
        }
    }
    marks.extend(wishes.set.clone());
    if mark == Mark::Annotation {
        missing.clear();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn words_are_read_as_wishes() {
        let read = wishes(&words("a=b c- d="), Mark::Label).unwrap();
        assert_eq!((read.set.len(), read.remove), (2, vec!["c".to_owned()]));
        for bad in ["=b", "-", "a=b a-"] {
            assert!(wishes(&words(bad), Mark::Label).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_has_another_value_is_only_replaced_when_asked() {
        let mut marks = BTreeMap::from([("a".to_owned(), "1".to_owned())]);
        let (same, other) = (wishes(&words("a=1"), Mark::Label).unwrap(), wishes(&words("a=2"), Mark::Label).unwrap());
        let mut missing = Vec::new();
        assert!(change(&mut marks, &same, Existing::Kept, Mark::Label, &mut missing).is_ok());
        assert!(change(&mut marks, &other, Existing::Kept, Mark::Label, &mut missing).is_err());
        assert!(change(&mut marks, &other, Existing::Replaced, Mark::Label, &mut missing).is_ok());
        assert_eq!(marks["a"], "2");
        change(&mut marks, &wishes(&words("a- b-"), Mark::Label).unwrap(), Existing::Kept, Mark::Label, &mut missing)
            .unwrap();
        assert_eq!((marks.len(), missing), (0, vec!["b".to_owned()]));
    }
}
