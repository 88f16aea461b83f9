//! `ctl apply`: a three-way merge of the last applied manifest, the new manifest and the live object; on the server, a
//! merge by field ownership.

mod migration;

use serde_json::{Value, json};
use squall_api::{Kind, Object, manifest, patch};

use super::record::{Cause, note_in_manifest, warn_of_record};
use crate::cli::{ApplyArgs, ApplyCommand, DryRun};
use crate::context::Context;
use crate::failure::Failure;
use crate::manifests::{self, Document};
use crate::modify::{ATTEMPTS, write_options};
use crate::output::{Changes, indented, line, line_error, text, warnings};
use crate::selection::{self, Namespaces};

/// The manager of what is applied on the server.
const SERVER_SIDE: &str = env!("CARGO_BIN_NAME");
/// The manager of what is applied here. Another name than that of other commands: server-side apply takes over what this
/// one owns, and no more.
const CLIENT_SIDE: &str = concat!(env!("CARGO_BIN_NAME"), "-client-side-apply");
/// The manager of the annotation after that, which keeps the way back to client-side apply.
const KEEPER: &str = concat!(env!("CARGO_BIN_NAME"), "-last-applied");

/// The annotation with the last applied manifest.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Applies each object; continues after a failure.
pub async fn run(context: &Context, args: ApplyArgs) -> Result<(), Failure> {
    if let Some(ApplyCommand::ViewLastApplied { what, output }) = args.what {
        return view_last_applied(context, &what, &output).await;
    }
    warn_of_record(Cause::of(args.change.record));
    let changes = Changes::of(&args.change)?;
    if args.server_side && changes.dry_run == DryRun::Client {
        let hint = "did you mean --dry-run=server instead?";
        return Err(Failure::error(format!("--dry-run=client doesn't work with --server-side ({hint})")));
    }
    let how = How {
        changes: &changes,
        validation: manifests::validation(&args.manifests.validate)?,
        field_manager: args.change.field_manager.as_deref().unwrap_or(match args.server_side {
            true => SERVER_SIDE,
            false => CLIENT_SIDE,
        }),
        cause: Cause::of(args.change.record),
    };
    let mut failures = Vec::new();
    for mut document in manifests::read_some(context, &args.manifests, "apply", &mut failures).await? {
        if document.name().is_empty() {
            failures.push(Failure::error(format!("from {}: cannot use generate name with apply", document.file)));
            continue;
        }
        let applied = if args.server_side {
            how.on_the_server(context, &document, args.force_conflicts).await
        } else {
            how.here(context, &mut document).await
        };
        match applied {
            Ok((object, done)) => changes.tell(&object, done)?,
            Err(error) if args.server_side && error.is(squall_client::Reason::Conflict) => {
                failures.push(conflict(&error));
            }
            Err(error) => failures.push(Failure::api_with_file(&error, "applying", &document.file)),
        }
    }
    Failure::all(failures)
}

struct How<'a> {
    changes: &'a Changes,
    validation: &'a str,
    field_manager: &'a str,
    cause: Cause,
}

impl How<'_> {
    fn options(&self) -> squall_client::WriteOptions {
        let mut options = write_options(self.changes.dry_run, Some(self.field_manager));
        self.validation.clone_into(&mut options.field_validation);
        options
    }

    async fn here(
        &self,
        context: &Context,
        document: &mut Document,
    ) -> Result<(Object, &'static str), squall_client::Error> {
        if self.cause == Cause::Command {
            note_in_manifest(document.kind, &mut document.json, Cause::Command);
        }
        keep_applied(document);
        let live = match selection::get(&context.client, document.kind, &document.namespace, document.name()).await {
            Ok(live) => live,
            Err(error) if error.is_not_found() => {
                note_in_manifest(document.kind, &mut document.json, self.cause);
                if self.changes.dry_run == DryRun::Client {
                    return Ok((manifests::local(document.kind, document.json.clone())?, "created"));
                }
                let reply = context.client.create(&document.collection(), document.manifest(), self.options()).await?;
                warnings(&reply.warnings);
                return Ok((reply.object()?, "created"));
            }
            Err(error) => return Err(error),
        };
        let mut patch = patch_for(document, &live);
        if patch.as_object().is_some_and(serde_json::Map::is_empty) {
            return Ok((live, "unchanged"));
        }
        if patch.pointer("/spec/template").is_some() {
            note_in_manifest(document.kind, &mut patch, self.cause);
        }
        if self.changes.dry_run == DryRun::Client {
            return Ok((live, "configured"));
        }
        let bytes = patch.to_string().into_bytes();
        let reply =
            context.client.patch_as(&document.object(), patch_type(document.kind), bytes, self.options()).await?;
        warnings(&reply.warnings);
        let after = reply.object()?;
        let same =
            after.meta().resource_version == live.meta().resource_version && self.changes.dry_run == DryRun::None;
        Ok((after, if same { "unchanged" } else { "configured" }))
    }

    async fn on_the_server(
        &self,
        context: &Context,
        document: &Document,
        force: bool,
    ) -> Result<(Object, &'static str), squall_client::Error> {
        let apply = async || {
            let bytes = document.json.to_string().into_bytes();
            context.client.apply(&document.object(), bytes, force, self.options()).await
        };
        let reply = apply().await?;
        warnings(&reply.warnings);
        let mut object = reply.object()?;
        if self.changes.dry_run == DryRun::None {
            let migrated = self.migrate(context, document, object.clone()).await?;
            if object.meta().annotations.contains_key(LAST_APPLIED) && self.field_manager == SERVER_SIDE {
                object = keep_annotation(context, document).await?;
            }
            if migrated {
                object = apply().await?.object()?;
            }
        }
        Ok((object, "serverside-applied"))
    }

    /// Takes over what client-side apply owns. Returns whether there was anything, so that the manifest has to be applied
    /// again.
    async fn migrate(
        &self,
        context: &Context,
        document: &Document,
        mut object: Object,
    ) -> Result<bool, squall_client::Error> {
        for attempt in 1.. {
            let json = object.to_json();
            let entries = json.pointer("/metadata/managedFields").and_then(Value::as_array);
            let Some(entries) = entries.and_then(|all| migration::taken_over(all, self.field_manager)) else {
                return Ok(false);
            };
            let patch = migration::patch(&entries, &object.meta().resource_version).to_string().into_bytes();
            match context.client.patch_as(&document.object(), patch::JSON, patch, self.options()).await {
                Ok(_) => return Ok(true),
                Err(error) if error.is(squall_client::Reason::Conflict) && attempt < ATTEMPTS => {
                    let (kind, namespace) = (document.kind, &document.namespace);
                    object = selection::get(&context.client, kind, namespace, document.name()).await?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }
}

/// Stores the manifest in its annotation, by a manager of its own.
async fn keep_annotation(context: &Context, document: &Document) -> Result<Object, squall_client::Error> {
    let mut noted = document.clone();
    keep_applied(&mut noted);
    let text = noted.json.pointer("/metadata/annotations").and_then(|annotations| annotations.get(LAST_APPLIED));
    let config = json!({
        "apiVersion": document.kind.info().api_version(),
        "kind": document.kind.info().kind,
        "metadata": {"name": document.name(), "namespace": document.namespace, "annotations": {LAST_APPLIED: text}},
    });
    let options = write_options(DryRun::None, Some(KEEPER));
    let reply = context.client.apply(&document.object(), config.to_string().into_bytes(), true, options).await?;
    reply.object()
}

/// Returns the patch from the live object to the manifest. Warns about an object that was not created by apply.
fn patch_for(document: &Document, live: &Object) -> Value {
    let applied = live.meta().annotations.get(LAST_APPLIED);
    if applied.is_none() {
        line_error(&format!(
            "Warning: resource {}/{} is missing the {LAST_APPLIED} annotation which is required by ctl apply. ctl apply should only be \
             used on resources created declaratively by either ctl create --save-config or ctl apply. The missing annotation will be \
             patched automatically.",
            document.kind.info().plural,
            document.name()
        ));
    }
    let original = applied.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_else(|| json!({}));
    patch::three_way(document.kind, &original, &document.json, &live.to_json())
}

/// The type of a patch of objects of this kind. Those of users' kinds have no strategy: for them, a merge is one of JSON.
pub const fn patch_type(kind: Kind) -> &'static str {
    if kind.is_custom() { patch::MERGE } else { patch::STRATEGIC }
}

/// Prepares a manifest for comparison: sets its namespace, and adds annotations, if only an empty map (without it, the
/// annotations of others would be removed).
pub fn completed(document: &mut Document) {
    let namespace = document.namespace.clone();
    if let Some(metadata) = document.json.get_mut("metadata").and_then(Value::as_object_mut)
        && !namespace.is_empty()
    {
        metadata.insert("namespace".to_owned(), Value::String(namespace));
    }
    manifest::annotations_mut(&mut document.json);
}

/// Stores the manifest in its own annotation, for comparison by the next apply.
pub fn keep_applied(document: &mut Document) {
    completed(document);
    if let Some(annotations) = manifest::annotations_mut(&mut document.json) {
        annotations.remove(LAST_APPLIED);
    }
    let text = format!("{}\n", document.json);
    if let Some(annotations) = manifest::annotations_mut(&mut document.json) {
        annotations.insert(LAST_APPLIED.to_owned(), Value::String(text));
    }
}

/// Reports a conflict, with kubectl's advice.
fn conflict(error: &squall_client::Error) -> Failure {
    Failure::error(format!(
        "{error}\nPlease review the fields above--they currently have other managers. Here\nare the ways you can resolve this warning:\n\
         * If you intend to manage all of these fields, please re-run the apply\n  command with the `--force-conflicts` flag.\n\
         * If you do not intend to manage all of the fields, please edit your\n  manifest to remove references to the fields that should keep their\n  \
         current managers.\n* You may co-own fields by updating your manifest to match the existing\n  value; in this case, you'll become the \
         manager if the other manager(s)\n  stop managing the field (remove it from their configuration)."
    ))
}

async fn view_last_applied(context: &Context, what: &[String], output: &str) -> Result<(), Failure> {
    for target in selection::parse_named(context, what).await? {
        let namespace = selection::namespace_of(target.kind, context, Namespaces::Current);
        for name in &target.names {
            let object = selection::get(&context.client, target.kind, &namespace, name).await?;
            let applied = object.meta().annotations.get(LAST_APPLIED);
            let applied = applied.ok_or_else(|| {
                Failure::error(format!("no last-applied-configuration annotation found on resource: {name}"))
            })?;
            let json = manifest::parse(applied).map_err(Failure::error)?;
            match output {
                "json" => line(&indented(&json)?),
                "yaml" => text(&manifest::to_yaml(&json).map_err(Failure::error)?),
                other => {
                    return Err(Failure::error(format!(
                        "Unexpected -o output mode: {other}, the flag 'output' must be one of yaml|json"
                    )));
                }
            }
        }
    }
    Ok(())
}
