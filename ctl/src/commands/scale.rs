//! `ctl scale`.

use serde_json::json;
use squall_client::{ResourceRef, WriteOptions};

use crate::cli::ScaleArgs;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::line;
use crate::selection;

/// Sets the number of replicas.
pub async fn run(context: &Context, args: ScaleArgs) -> Result<(), Failure> {
    if args.replicas < 0 {
        return Err(Failure::error(
            "The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0",
        ));
    }
    let patch = json!({"spec": {"replicas": args.replicas}});
    let mut failures = Vec::new();
    for target in selection::parse_named(&args.what)? {
        for name in &target.names {
            let namespace = selection::namespace_of(target.kind, context, false);
            let resource = ResourceRef::object(target.kind, &namespace, name).part("scale");
            match context.client.patch(&resource, &patch, WriteOptions::default()).await {
                Ok(_) => line(&format!("{}/{name} scaled", target.kind.info().singular_group())),
                Err(error) => failures.push(error.into()),
            }
        }
    }
    Failure::all(failures)
}
