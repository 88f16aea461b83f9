//! Node maintenance: cordon, drain, taint.

mod cordon;
mod drain;
mod taint;

use squall_api::Kind;
use squall_client::ResourceRef;

use crate::cli::CordonArgs;
use crate::context::Context;
use crate::failure::Failure;
use crate::selection::{self, Wanted};

pub use cordon::{Scheduling, cordon};
pub use drain::drain;
pub use taint::taint;

/// Finds the selected nodes.
async fn nodes(context: &Context, args: &CordonArgs, command: &str) -> Result<Vec<ResourceRef>, Failure> {
    if args.nodes.is_empty() && args.selector.is_none() {
        return Err(Failure::usage(command, format!("USAGE: {command} NODE [flags]")));
    }
    let what: Vec<String> = std::iter::once("nodes".to_owned())
        .chain(args.nodes.iter().map(|name| name.trim_start_matches("node/").to_owned()))
        .collect();
    let mut failures = Vec::new();
    let wanted = Wanted { what: &what, selector: args.selector.as_deref(), ..Wanted::default() };
    let chosen = selection::choose(context, wanted, &mut failures).await?;
    Failure::all(failures)?;
    Ok(chosen.into_iter().map(|chosen| chosen.resource).filter(|resource| resource.kind == Kind::Node).collect())
}
