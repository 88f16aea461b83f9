//! `ctl cordon` and `ctl uncordon`.

use squall_api::Object;
use squall_client::ResourceRef;

use super::nodes;
use crate::cli::{CordonArgs, DryRun};
use crate::context::Context;
use crate::failure::Failure;
use crate::modify::modify;
use crate::output::Changes;

/// Whether new pods may come to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheduling {
    /// The node is cordoned: none may.
    Stopped,
    /// The node is not cordoned.
    Allowed,
}

/// Cordons nodes, or uncordons them.
pub async fn cordon(context: &Context, args: CordonArgs, scheduling: Scheduling) -> Result<(), Failure> {
    let mut failures = Vec::new();
    let verb = match scheduling {
        Scheduling::Stopped => "cordon",
        Scheduling::Allowed => "uncordon",
    };
    for node in nodes(context, &args, verb).await? {
        if let Err(failure) = set(context, &node, scheduling, args.dry_run).await {
            failures.push(failure);
        }
    }
    Failure::all(failures)
}

/// Sets whether new pods may come to a node.
pub async fn set(
    context: &Context,
    node: &ResourceRef,
    scheduling: Scheduling,
    dry_run: DryRun,
) -> Result<(), Failure> {
    let changes = Changes::new(None, dry_run)?;
    let changed = modify(context, node, (dry_run, None), |object| {
        if let Object::Node(node) = object {
            node.spec.unschedulable = scheduling == Scheduling::Stopped;
        }
        Ok(())
    })
    .await?;
    let word = match scheduling {
        Scheduling::Stopped => "cordoned",
        Scheduling::Allowed => "uncordoned",
    };
    let already = if changed.is_none() { "already " } else { "" };
    changes.say(&format!("node/{} {already}{word}", node.name));
    Ok(())
}
