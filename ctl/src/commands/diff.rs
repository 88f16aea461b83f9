//! `ctl diff`: shows what `ctl apply` would change.

use serde_json::json;
use similar::TextDiff;
use squall_api::{Object, manifest, patch};

use super::apply::{LAST_APPLIED, completed, patch_type};
use crate::cli::{DiffArgs, DryRun};
use crate::context::Context;
use crate::failure::Failure;
use crate::manifests::{self, Depth, Document};
use crate::modify::write_options;
use crate::output::{ManagedFields, json_of, text};
use crate::selection;

/// As in diff, exit code 1 means a difference, and more than 1 a failure.
const TROUBLE: u8 = 2;

/// Shows the differences. Exit code 0: no differences; 1: differences; 2: failure.
pub async fn run(context: &Context, args: DiffArgs) -> Result<(), Failure> {
    let mut failures = Vec::new();
    let documents = manifests::read(context, &args.filename, Depth::Folder, &mut failures)
        .await
        .map_err(|f| f.with_code(TROUBLE))?;
    let mut differs = false;
    for mut document in documents {
        completed(&mut document);
        match difference(context, &document).await {
            Ok(difference) => {
                differs |= !difference.is_empty();
                text(&difference);
            }
            Err(error) => failures.push(Failure::from(error)),
        }
    }
    Failure::all(failures).map_err(|failure| failure.with_code(TROUBLE))?;
    if differs { Err(Failure::silent()) } else { Ok(()) }
}

async fn difference(context: &Context, document: &Document) -> Result<String, squall_client::Error> {
    let options = write_options(DryRun::Server, None);
    let live = selection::get(&context.client, document.kind, &document.namespace, document.name()).await;
    let (before, after) = match live {
        Ok(live) => {
            let applied = live.meta().annotations.get(LAST_APPLIED);
            let original = applied.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_else(|| json!({}));
            let patch = patch::three_way(document.kind, &original, &document.json, &live.to_json());
            let bytes = patch.to_string().into_bytes();
            let reply = context.client.patch_as(&document.object(), patch_type(document.kind), bytes, options).await?;
            (yaml(&live), yaml(&reply.object()?))
        }
        Err(error) if error.is_not_found() => {
            let reply = context.client.create(&document.collection(), document.manifest(), options).await?;
            (String::new(), yaml(&reply.object()?))
        }
        Err(error) => return Err(error),
    };
    let info = document.kind.info();
    let parts = [info.group, info.version, info.kind, &document.namespace, document.name()];
    let name = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<&str>>().join(".");
    Ok(unified(&before, &after, &format!("LIVE/{name}"), &format!("MERGED/{name}")))
}

fn yaml(object: &Object) -> String {
    manifest::to_yaml(&json_of(object, ManagedFields::Hidden)).unwrap_or_default()
}

/// The differences between two texts, as `diff -u` shows them; empty if there are none.
pub fn unified(before: &str, after: &str, before_name: &str, after_name: &str) -> String {
    if before == after {
        return String::new();
    }
    TextDiff::from_lines(before, after).unified_diff().context_radius(3).header(before_name, after_name).to_string()
}
