//! `ctl edit`: opens objects in the user's editor until they are valid or the user gives up.

use std::io::Write;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use squall_api::error::Reason;
use squall_api::{Object, manifest, patch};
use squall_client::{Error, ResourceRef};

use super::apply::patch_type;
use super::record::{CHANGE_CAUSE, Cause, command_line, note_in_manifest, warn_of_record};
use crate::cli::EditArgs;
use crate::context::Context;
use crate::failure::Failure;
use crate::modify::write_options;
use crate::output::{Changes, ManagedFields, json_of, line_error, list_of, warnings};
use crate::selection;

const HEADER: &str = "# Please edit the object below. Lines beginning with a '#' will be ignored,\n# and an empty file will abort the \
                      edit. If an error occurs while saving this file will be\n# reopened with the relevant failures.\n#\n";

/// Opens the editor and writes the changes.
pub async fn run(context: &Context, args: EditArgs) -> Result<(), Failure> {
    warn_of_record(Cause::of(args.change.record));
    let objects = objects(context, &args).await?;
    let changes = Changes::of(&args.change)?;
    let mut session = Session { context, args: &args, changes, originals: objects.iter().map(original).collect() };
    session.edit().await
}

/// An object before the edit, as the editor shows it.
struct Original {
    resource: ResourceRef,
    json: Value,
}

fn original(object: &Object) -> Original {
    let meta = object.meta();
    Original {
        resource: ResourceRef::object(object.kind(), &meta.namespace, &meta.name),
        json: json_of(object, ManagedFields::Hidden),
    }
}

async fn objects(context: &Context, args: &EditArgs) -> Result<Vec<Object>, Failure> {
    let mut failures = Vec::new();
    let mut objects = Vec::new();
    if args.filename.is_empty() {
        for target in selection::parse(context, &args.select.what).await? {
            objects.extend(selection::fetch(context, &target, &args.select, &mut failures).await?);
        }
    } else {
        let wanted = selection::Wanted { filename: &args.filename, ..selection::Wanted::default() };
        let chosen = selection::choose(context, wanted, &mut failures).await?;
        objects = selection::fetch_chosen(context, chosen, &mut failures).await?;
    }
    Failure::all(failures)?;
    if objects.is_empty() { Err(Failure::plain("edit cancelled, no objects found")) } else { Ok(objects) }
}

struct Session<'a> {
    context: &'a Context,
    args: &'a EditArgs,
    changes: Changes,
    originals: Vec<Original>,
}

/// The outcome of saving one text.
enum Round {
    Done,
    /// The editor opens again, with these lines before the text.
    Again(Vec<String>),
}

impl Session<'_> {
    async fn edit(&mut self) -> Result<(), Failure> {
        let (mut body, mut problems): (String, Vec<String>) = (self.text()?, Vec::new());
        loop {
            let shown = with_header(&problems, &body);
            let mut file =
                tempfile::Builder::new().prefix("ctl-edit-").suffix(".yaml").tempfile().map_err(Failure::error)?;
            file.write_all(shown.as_bytes()).map_err(Failure::error)?;
            let saved =
                open_editor(file.path()).and_then(|()| std::fs::read_to_string(file.path()).map_err(Failure::error));
            let saved = match saved {
                Ok(saved) => saved,
                // Keep what the user typed even if the editor fails.
                Err(failure) if is_as(file.path(), &shown) && problems.is_empty() => return Err(failure),
                Err(failure) => {
                    let kept = keep(file)?;
                    line_error(&format!("A copy of your changes has been stored to {kept:?}"));
                    return Err(failure);
                }
            };
            let edited = without_comments(&saved);
            if edited == body && !problems.is_empty() {
                let kept = keep(file)?;
                line_error(&format!("A copy of your changes has been stored to {kept:?}"));
                return Err(Failure::error("Edit cancelled, no valid changes were saved."));
            }
            // Earlier rounds may have written some of the objects.
            if edited == self.text()? {
                line_error("Edit cancelled, no changes made.");
                return Ok(());
            }
            if edited.trim().is_empty() {
                line_error("Edit cancelled, saved file was empty.");
                return Ok(());
            }
            match self.save(&edited).await {
                Ok(Round::Done) => return Ok(()),
                Ok(Round::Again(why)) => (problems, body) = (why, edited),
                Err(failure) => {
                    let kept = keep(file)?;
                    line_error(&failure.text());
                    line_error(&format!("You can run `ctl replace -f {kept}` to try this update again."));
                    return Err(Failure::silent());
                }
            }
        }
    }

    fn text(&self) -> Result<String, Failure> {
        let value = match self.originals.as_slice() {
            [one] => one.json.clone(),
            many => list_of(many.iter().map(|original| original.json.clone()).collect()),
        };
        manifest::to_yaml(&value).map_err(Failure::error)
    }

    async fn save(&mut self, edited: &str) -> Result<Round, Failure> {
        let values = match manifest::documents(edited) {
            Ok(values) => values,
            Err(problem) => {
                return Ok(Round::Again(vec![format!("The edited file had a syntax error: {problem}")]));
            }
        };
        let mut again = Vec::new();
        for value in values {
            let Some(original) = self.originals.iter_mut().find(|original| is_same(&original.json, &value)) else {
                return Ok(Round::Again(vec!["At least one of apiVersion, kind and name was changed".to_owned()]));
            };
            if original.json == value {
                // kubectl: reports each object that was not edited.
                self.changes.say(&format!("{} skipped", name_of(&original.resource)));
                continue;
            }
            match write(self.context, self.args, &self.changes, original, &value).await {
                Ok(object) => {
                    original.json = value;
                    self.changes.tell(&object, "edited")?;
                }
                Err(error) => again.extend(explained(&error, &original.resource)?),
            }
        }
        Ok(if again.is_empty() { Round::Done } else { Round::Again(again) })
    }
}

async fn write(
    context: &Context,
    args: &EditArgs,
    changes: &Changes,
    original: &Original,
    edited: &Value,
) -> Result<Object, Error> {
    let kind = original.resource.kind;
    // Two-way: fields that are not edited keep the changes that others make meanwhile.
    let mut patch = patch::three_way(kind, &original.json, edited, &original.json);
    if patch.pointer("/spec/template").is_some() {
        note_in_manifest(kind, &mut patch, Cause::Kept);
    }
    if args.change.record
        && let Some(annotations) = manifest::annotations_mut(&mut patch)
    {
        annotations.insert(CHANGE_CAUSE.to_owned(), command_line().into());
    }
    let options = write_options(changes.dry_run, args.change.field_manager.as_deref());
    let reply = context
        .client
        .patch_as(&original.resource, patch_type(original.resource.kind), patch.to_string().into_bytes(), options)
        .await?;
    warnings(&reply.warnings);
    reply.object()
}

/// Returns the problems that can be fixed in the editor; fails with all others.
fn explained(error: &Error, resource: &ResourceRef) -> Result<Vec<String>, Failure> {
    let name = format!("{} {:?}", resource.kind.info().plural_group(), resource.name);
    let Error::Api(api) = error else { return Err(error.clone().into()) };
    let causes = api.status.details.as_ref().map(|details| details.causes.clone()).unwrap_or_default();
    if api.is(Reason::Invalid) && !causes.is_empty() {
        line_error(&format!("error: {name} is invalid"));
        let lines = causes.iter().map(|cause| format!("* {}: {}", cause.field, cause.message));
        return Ok(std::iter::once(format!("{name} was not valid:")).chain(lines).collect());
    }
    if api.is(Reason::Invalid) || api.is(Reason::BadRequest) {
        line_error(&format!("error: {name} is invalid"));
        return Ok(vec![format!("{name} was not valid:"), format!("* {}", api.status.message)]);
    }
    Err(Failure::error(format!("{name} could not be patched: {}", api.status.message)))
}

fn name_of(resource: &ResourceRef) -> String {
    format!("{}/{}", resource.kind.info().singular_group(), resource.name)
}

fn is_same(one: &Value, other: &Value) -> bool {
    let kind = |value: &Value| {
        let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        (text("apiVersion"), text("kind"))
    };
    kind(one) == kind(other)
        && manifest::meta(one, "name") == manifest::meta(other, "name")
        && manifest::meta(one, "namespace") == manifest::meta(other, "namespace")
}

fn with_header(problems: &[String], body: &str) -> String {
    let mut text = HEADER.to_owned();
    for problem in problems.iter().flat_map(|problem| problem.lines()) {
        text.push_str(&format!("# {problem}\n"));
    }
    text.push_str(if problems.is_empty() { "" } else { "#\n" });
    text + body
}

fn without_comments(text: &str) -> String {
    text.split_inclusive('\n').filter(|line| !line.starts_with('#')).collect()
}

fn open_editor(file: &Path) -> Result<(), Failure> {
    let named =
        std::env::var("KUBE_EDITOR").or_else(|_| std::env::var("EDITOR")).ok().filter(|editor| !editor.is_empty());
    let editor = named.unwrap_or_else(|| "vi".to_owned());
    // The variable may contain flags for the editor, so that a shell has to parse it.
    let status = Command::new("sh").arg("-c").arg(format!("{editor} \"$1\"")).arg("sh").arg(file).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::error(format!("there was a problem with the editor {editor:?}: {status}"))),
        Err(error) => Err(Failure::error(format!("unable to launch the editor {editor:?}: {error}"))),
    }
}

/// Whether the file is unchanged.
fn is_as(path: &Path, shown: &str) -> bool {
    std::fs::read(path).is_ok_and(|bytes| bytes == shown.as_bytes())
}

fn keep(file: tempfile::NamedTempFile) -> Result<String, Failure> {
    let (_, path) = file.keep().map_err(Failure::error)?;
    Ok(path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_stands_before_the_text_and_is_not_read_again() {
        let shown = with_header(&["rcs \"x\" was not valid:".to_owned(), "* spec: bad".to_owned()], "kind: x\n");
        assert!(shown.contains("#\n# rcs \"x\" was not valid:\n# * spec: bad\n#\nkind: x\n"));
        assert_eq!(without_comments(&shown), "kind: x\n");
    }
}
