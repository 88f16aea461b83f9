//! `ctl rollout history`: shows the revisions and the cause of each.

use serde_json::{Value, json};
use squall_api::apps::v1::{Deployment, ReplicaSet};
use squall_api::describe::describe_template;
use squall_api::{Object, revision};
use squall_client::ResourceRef;

use super::{deployment, deployments, revisions, undo};
use crate::cli::RolloutHistoryArgs;
use crate::commands::record::{CHANGE, CHANGE_CAUSE};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Format, Shown, escaped, indented, line, print_objects, rows_as_text, text};

/// kubectl's tables of revisions are narrower than its others.
const GAP: usize = 2;

/// Shows the revisions of each Deployment.
pub async fn run(context: &Context, args: RolloutHistoryArgs) -> Result<(), Failure> {
    if args.revision < 0 {
        return Err(Failure::error(format!("revision must be a positive integer: {}", args.revision)));
    }
    let format = Format::parse(args.output.as_deref())?;
    let unsupported = |resource: &ResourceRef| {
        Failure::error(format!("no history viewer has been implemented for {:?}", resource.kind.info().kind))
    };
    let mut failures = Vec::new();
    for resource in deployments(context, &args.targets, unsupported).await? {
        if let Err(failure) = show(context, &resource, &args, &format).await {
            failures.push(failure);
        }
    }
    Failure::all(failures)
}

async fn show(
    context: &Context,
    resource: &ResourceRef,
    args: &RolloutHistoryArgs,
    format: &Format,
) -> Result<(), Failure> {
    let deployment = deployment(context, resource).await?;
    let sets = revisions(context, &deployment).await?;
    if let Some(range) = &args.diff {
        return diff(&sets, range);
    }
    if args.revision > 0 {
        return one(&deployment, find(&sets, args.revision)?, format);
    }
    let entries = entries(&sets);
    match format {
        Format::Json | Format::Yaml => {
            let items: Vec<Value> = entries.iter().map(Entry::json).collect();
            let value = json!({"deployment": resource.name, "namespace": resource.namespace, "revisions": items});
            match format {
                Format::Yaml => text(&squall_api::manifest::to_yaml(&value).map_err(Failure::error)?),
                _ => line(&indented(&value)?),
            }
        }
        _ => {
            line(&format!("deployment.apps/{} ", resource.name));
            if entries.is_empty() {
                line("No rollout history found.");
                return Ok(());
            }
            match format {
                Format::Wide => print(&WIDE, entries.iter().map(wide)),
                _ => print(&NARROW, entries.iter().map(narrow)),
            }
            line("");
        }
    }
    Ok(())
}

fn find(sets: &[ReplicaSet], number: i64) -> Result<&ReplicaSet, Failure> {
    let found = sets.iter().find(|set| revision::revision(set) == number);
    found.ok_or_else(|| Failure::error("unable to find the specified revision"))
}

fn one(deployment: &Deployment, set: &ReplicaSet, format: &Format) -> Result<(), Failure> {
    if !format.is_table() {
        return print_objects(&[Object::from(set.clone())], Shown { single: true, ..Shown::default() }, format);
    }
    let mut template = set.spec.template.clone();
    if let Some(cause) = set.metadata.annotations.get(CHANGE_CAUSE) {
        template.metadata.annotations.insert(CHANGE_CAUSE.to_owned(), cause.clone());
    }
    line(&format!("deployment.apps/{} with revision #{}", deployment.metadata.name, revision::revision(set)));
    text(&escaped(&describe_template(&template)));
    line("");
    Ok(())
}

fn diff(sets: &[ReplicaSet], range: &str) -> Result<(), Failure> {
    let wrong = || Failure::error(format!("--diff: invalid range {range:?}, use revisions like 2..3"));
    let (from, to) = range.split_once("..").ok_or_else(wrong)?;
    let number = |text: &str| text.parse::<i64>().map_err(|_| wrong());
    let (from, to) = (find(sets, number(from)?)?, find(sets, number(to)?)?);
    let name = |set: &ReplicaSet| format!("revision {}", revision::revision(set));
    let template = |set: &ReplicaSet| revision::without_hash(&set.spec.template);
    text(&undo::differences(&template(from), &template(to), &name(from), &name(to))?);
    Ok(())
}

/// One revision of a Deployment.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    revision: i64,
    replica_set: String,
    images: Vec<String>,
    cause: Option<String>,
    /// The change that made the template, if it was recorded.
    change: Option<Note>,
}

/// The record of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Note {
    time: String,
    author: String,
    command: String,
}

impl Entry {
    fn json(&self) -> Value {
        let change = self.change.as_ref();
        json!({
            "revision": self.revision,
            "replicaSet": self.replica_set,
            "images": self.images,
            "changeCause": self.cause,
            "time": change.map(|change| &change.time),
            "author": change.map(|change| &change.author),
            "command": change.map(|change| &change.command),
        })
    }
}

/// The revisions in order. A cause that a revision only inherited from the one before it, since the user gave no new
/// one, is replaced by its own command; kubectl shows the inherited cause.
fn entries(sets: &[ReplicaSet]) -> Vec<Entry> {
    let annotation = |set: &ReplicaSet, key: &str| set.metadata.annotations.get(key).cloned();
    let mut entries: Vec<Entry> = Vec::new();
    let mut changes: Vec<String> = Vec::new();
    for set in sets {
        let noted = annotation(set, CHANGE).filter(|change| !changes.contains(change));
        let cause = annotation(set, CHANGE_CAUSE);
        let inherited = entries.iter().any(|entry| entry.cause.is_some() && entry.cause == cause);
        changes.extend(noted.clone());
        let change = noted.as_deref().and_then(read_change);
        let cause = match (&change, inherited) {
            // Unless the same command was recorded again.
            (Some(change), true) if cause.as_ref() != Some(&change.command) => Some(change.command.clone()),
            _ => cause,
        };
        let images = set.spec.template.spec.containers.iter().map(|container| container.image.clone()).collect();
        let replica_set = set.metadata.name.clone();
        entries.push(Entry { revision: revision::revision(set), replica_set, images, cause, change });
    }
    entries
}

/// `2026-11-25T16:00:00Z anna: ctl set image ...`.
fn read_change(text: &str) -> Option<Note> {
    let (head, command) = text.split_once(": ")?;
    let (time, author) = head.split_once(' ')?;
    Some(Note { time: time.to_owned(), author: author.to_owned(), command: command.to_owned() })
}

const NONE: &str = "<none>";
const NARROW: [&str; 2] = ["REVISION", "CHANGE-CAUSE"];
const WIDE: [&str; 5] = ["REVISION", "TIME", "BY", "IMAGES", "CHANGE-CAUSE"];

fn narrow(entry: &Entry) -> Vec<String> {
    vec![entry.revision.to_string(), entry.cause.clone().unwrap_or_else(|| NONE.to_owned())]
}

fn wide(entry: &Entry) -> Vec<String> {
    let noted = |part: fn(&Note) -> &String| entry.change.as_ref().map(part).cloned();
    let or_none = |text: Option<String>| text.unwrap_or_else(|| NONE.to_owned());
    vec![
        entry.revision.to_string(),
        or_none(noted(|change| &change.time)),
        or_none(noted(|change| &change.author)),
        entry.images.join(","),
        or_none(entry.cause.clone().or(noted(|change| &change.command))),
    ]
}

fn print(headings: &[&str], rows: impl Iterator<Item = Vec<String>>) {
    let headings = headings.iter().map(|heading| (*heading).to_owned()).collect();
    let rows: Vec<Vec<String>> = std::iter::once(headings).chain(rows).collect();
    rows_as_text(&rows, GAP).iter().for_each(|row| line(row));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(number: i64, cause: Option<&str>, change: Option<&str>) -> ReplicaSet {
        let mut set = ReplicaSet::default();
        let annotations = &mut set.metadata.annotations;
        annotations.insert(revision::REVISION.to_owned(), number.to_string());
        annotations.extend(cause.map(|cause| (CHANGE_CAUSE.to_owned(), cause.to_owned())));
        annotations.extend(change.map(|change| (CHANGE.to_owned(), change.to_owned())));
        set
    }

    fn causes(sets: &[ReplicaSet]) -> Vec<Option<String>> {
        entries(sets).into_iter().map(|entry| entry.cause).collect()
    }

    #[test]
    fn each_revision_shows_its_own_cause() {
        let created = "2026-11-25T16:00:00Z anna: ctl create --filename=x";
        let updated = "2026-11-25T16:01:00Z anna: ctl set image deployment kubia a=b";
        let sets = [
            set(1, Some("ctl create --filename=x --record=true"), Some(created)),
            set(2, Some("ctl create --filename=x --record=true"), Some(updated)),
        ];
        let expected = ["ctl create --filename=x --record=true", "ctl set image deployment kubia a=b"];
        assert_eq!(causes(&sets), expected.map(|cause| Some(cause.to_owned())));
        assert_eq!(entries(&sets)[1].change.as_ref().unwrap().author, "anna");
    }

    #[test]
    fn without_a_cause_none_is_shown_and_kubectls_stay_as_they_are() {
        assert_eq!(causes(&[set(1, None, Some("2026-11-25T16:00:00Z anna: ctl create"))]), [None]);
        let by_kubectl = [set(1, Some("kubectl create"), None), set(2, Some("kubectl create"), None)];
        assert_eq!(causes(&by_kubectl), [Some("kubectl create".to_owned()), Some("kubectl create".to_owned())]);
    }

    #[test]
    fn a_change_that_was_only_carried_along_is_not_told_twice() {
        let change = "2026-11-25T16:00:00Z anna: ctl create";
        let entries = entries(&[set(1, None, Some(change)), set(2, None, Some(change))]);
        assert!(entries[0].change.is_some() && entries[1].change.is_none());
    }
}
