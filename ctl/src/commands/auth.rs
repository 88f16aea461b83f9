//! `ctl auth`: shows the user's identity and permissions.

use serde_json::json;
use squall_api::Kind;
use squall_client::ResourceRef;

use crate::cli::{AuthCommand, CanIArgs, WhoamiArgs};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{line, print_cells};
use crate::selection::{self, Namespaces};

/// The gap between columns.
const GAP: usize = 3;

/// Runs a command.
pub async fn run(context: &Context, command: AuthCommand) -> Result<(), Failure> {
    match command {
        AuthCommand::CanI(args) => can_i(context, args).await,
        AuthCommand::Whoami(args) => who_am_i(context, args).await,
    }
}

async fn can_i(context: &Context, args: CanIArgs) -> Result<(), Failure> {
    let (word, subresource) = args.resource.split_once('/').unwrap_or((&args.resource, ""));
    let kind = Kind::of_word(word)
        .ok_or_else(|| Failure::error(format!("the server doesn't have a resource type {word:?}")))?;
    let namespace = selection::namespace_of(kind, context, Namespaces::of(args.all_namespaces));
    let of = ResourceRef::object(kind, &namespace, &args.name.unwrap_or_default());
    let review = context.client.can_i(&args.verb, &of, subresource).await?;
    if !args.quiet {
        line(if review.allowed { "yes" } else { "no" });
    }
    if review.allowed { Ok(()) } else { Err(Failure::silent()) }
}

async fn who_am_i(context: &Context, args: WhoamiArgs) -> Result<(), Failure> {
    let identity = context.client.who_am_i().await?;
    match args.output.as_deref() {
        None => {
            let cells = |name: &str, value: String| vec![name.to_owned(), value];
            let rows = [
                cells("ATTRIBUTE", "VALUE".to_owned()),
                cells("Username", identity.user),
                cells("Groups", format!("[{}]", identity.groups.join(" "))),
            ];
            print_cells(&rows, GAP);
            Ok(())
        }
        Some("json") => {
            line(&json!({"username": identity.user, "groups": identity.groups}).to_string());
            Ok(())
        }
        Some(other) => Err(Failure::error(format!(
            "unable to match a printer suitable for the output format {other:?}, allowed formats are: json"
        ))),
    }
}
