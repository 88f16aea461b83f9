//! `ctl auth`: shows the user's identity and permissions.

use serde_json::json;
use squall_api::access;
use squall_client::{ResourceRef, Review};

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
    let (Some(verb), Some(resource)) = (&args.verb, &args.resource) else { return list(context).await };
    if resource.starts_with('/') {
        return answer(&context.client.can_i_at(verb, resource).await?, args.quiet);
    }
    let (word, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    let kind = context.kind(word).await?;
    let namespace = selection::namespace_of(kind, context, Namespaces::of(args.all_namespaces));
    let of = ResourceRef::object(kind, &namespace, &args.name.unwrap_or_default());
    answer(&context.client.can_i(verb, &of, subresource).await?, args.quiet)
}

fn answer(review: &Review, quiet: bool) -> Result<(), Failure> {
    if !quiet {
        line(if review.allowed { "yes" } else { "no" });
    }
    if review.allowed { Ok(()) } else { Err(Failure::silent()) }
}

/// Lists everything that the user may do in the namespace, as kubectl does.
async fn list(context: &Context) -> Result<(), Failure> {
    let rules = context.client.my_rules(&context.namespace).await?;
    let single = access::break_down(&rules).unwrap_or(rules);
    let mut rules = access::compact(single);
    rules.sort_by_key(|rule| (rule.verbs.clone(), rule.api_groups.clone(), rule.resources.clone()));
    let list = |words: &[String]| format!("[{}]", words.join(" "));
    let head = ["Resources", "Non-Resource URLs", "Resource Names", "Verbs"].map(str::to_owned).to_vec();
    let rows = rules.iter().map(|rule| {
        vec![access::resource_text(rule), list(&rule.non_resource_urls), list(&rule.resource_names), list(&rule.verbs)]
    });
    print_cells(&std::iter::once(head).chain(rows).collect::<Vec<_>>(), GAP);
    Ok(())
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
