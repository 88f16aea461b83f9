//! `ctl apply -f`: the three-way merge of what was applied last, what is applied now, and what is there.

use serde_json::{Value, json};
use squall_api::{Object, manifest, patch};
use squall_client::WriteOptions;

use super::create::validation;
use super::record::{CHANGE_CAUSE, command_line};
use crate::cli::{FileArgs, Global};
use crate::context::Context;
use crate::failure::Failure;
use crate::manifests::{self, Document};
use crate::output::{Format, line, line_error, named, print_objects, warnings};
use crate::selection;

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Applies each object; goes on after a failure.
pub async fn run(context: &Context, global: &Global, args: FileArgs) -> Result<(), Failure> {
    let format = Format::parse(args.output.as_deref())?;
    let validation = validation(&args.validate)?;
    let mut failures = Vec::new();
    let documents = manifests::read_some(context, global.namespace.as_deref(), &args.filename, "apply", &mut failures)?;
    for mut document in documents {
        if document.name().is_empty() {
            failures.push(Failure::error(format!("from {}: cannot use generate name with apply", document.file)));
            continue;
        }
        if args.record
            && let Some(annotations) = manifest::annotations_mut(&mut document.json)
        {
            annotations.insert(CHANGE_CAUSE.to_owned(), Value::String(command_line()));
        }
        match apply(context, &mut document, validation).await {
            Ok((object, done)) => match format {
                Format::Table | Format::Wide => line(&format!("{} {done}", named(&object))),
                other => print_objects(&[object], true, other)?,
            },
            Err(error) => failures.push(Failure::api_with_file(&error, "applying", &document.file)),
        }
    }
    Failure::all(failures)
}

async fn apply(
    context: &Context,
    document: &mut Document,
    validation: &str,
) -> Result<(Object, &'static str), squall_client::Error> {
    note_applied(document);
    let options = WriteOptions { field_validation: validation.to_owned(), ..WriteOptions::default() };
    let live = match selection::get(&context.client, document.kind, &document.namespace, document.name()).await {
        Ok(live) => live,
        Err(error) if error.is_not_found() => {
            let reply = context.client.create(&document.collection(), document.manifest(), options).await?;
            warnings(&reply.warnings);
            return Ok((reply.object()?, "created"));
        }
        Err(error) => return Err(error),
    };
    let applied = live.meta().annotations.get(LAST_APPLIED);
    if applied.is_none() {
        let info = document.kind.info();
        line_error(&format!(
            "Warning: resource {}/{} is missing the {LAST_APPLIED} annotation which is required by ctl apply. ctl apply should only be \
             used on resources created declaratively by ctl apply. The missing annotation will be patched automatically.",
            info.plural,
            document.name()
        ));
    }
    let original = applied.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_else(|| json!({}));
    let patch = patch::three_way(document.kind, &original, &document.json, &live.to_json());
    if patch.as_object().is_some_and(serde_json::Map::is_empty) {
        return Ok((live, "unchanged"));
    }
    let reply =
        context.client.patch_as(&document.object(), patch::STRATEGIC, patch.to_string().into_bytes(), options).await?;
    warnings(&reply.warnings);
    Ok((reply.object()?, "configured"))
}

/// Puts the manifest itself into its annotation: what the next apply compares with.
fn note_applied(document: &mut Document) {
    let namespace = document.namespace.clone();
    if let Some(metadata) = document.json.get_mut("metadata").and_then(Value::as_object_mut)
        && !namespace.is_empty()
    {
        metadata.insert("namespace".to_owned(), Value::String(namespace));
    }
    if let Some(annotations) = manifest::annotations_mut(&mut document.json) {
        annotations.remove(LAST_APPLIED);
    }
    let text = format!("{}\n", document.json);
    if let Some(annotations) = manifest::annotations_mut(&mut document.json) {
        annotations.insert(LAST_APPLIED.to_owned(), Value::String(text));
    }
}
