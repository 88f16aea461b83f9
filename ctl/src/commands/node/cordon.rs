//! `ctl cordon` and `ctl uncordon`.

use squall_api::Object;
use squall_client::ResourceRef;

use super::nodes;
use crate::cli::{CordonArgs, DryRun};
use crate::context::Context;
use crate::failure::Failure;
use crate::modify::modify;
use crate::output::Changes;

/// Cordons nodes, or uncordons them if `out` is false.
pub async fn cordon(context: &Context, args: CordonArgs, out: bool) -> Result<(), Failure> {
    let mut failures = Vec::new();
    for node in nodes(context, &args, if out { "cordon" } else { "uncordon" }).await? {
        if let Err(failure) = set(context, &node, out, args.dry_run).await {
            failures.push(failure);
        }
    }
    Failure::all(failures)
}

/// Sets whether a node is unschedulable.
pub async fn set(context: &Context, node: &ResourceRef, out: bool, dry_run: DryRun) -> Result<(), Failure> {
    let changes = Changes::new(None, dry_run)?;
    let changed = modify(context, node, (dry_run, None), |object| {
        if let Object::Node(node) = object {
            node.spec.unschedulable = out;
        }
        Ok(())
    })
    .await?;
    let word = if out { "cordoned" } else { "uncordoned" };
    let already = if changed.is_none() { "already " } else { "" };
    changes.say(&format!("node/{} {already}{word}", node.name));
    Ok(())
}
