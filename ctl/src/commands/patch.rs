//! `ctl patch`.

use squall_api::{manifest, patch};
use squall_client::{ResourceRef, WriteOptions};

use crate::cli::{PatchArgs, PatchForm};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{line, named, warnings};
use crate::selection;

/// Applies a patch to each object.
pub async fn run(context: &Context, args: PatchArgs) -> Result<(), Failure> {
    let content_type = match args.form {
        PatchForm::Strategic => patch::STRATEGIC,
        PatchForm::Merge => patch::MERGE,
        PatchForm::Json => patch::JSON,
    };
    let patch = manifest::parse(&args.patch)
        .map_err(|problem| Failure::error(format!("unable to parse {:?}: {problem}", args.patch)))?;
    let mut failures = Vec::new();
    for target in selection::parse_named(&args.what)? {
        for name in &target.names {
            let namespace = selection::namespace_of(target.kind, context, false);
            let before = match selection::get(&context.client, target.kind, &namespace, name).await {
                Ok(before) => before,
                Err(error) => {
                    failures.push(error.into());
                    continue;
                }
            };
            let resource = ResourceRef::object(target.kind, &namespace, name);
            let bytes = patch.to_string().into_bytes();
            match context.client.patch_as(&resource, content_type, bytes, WriteOptions::default()).await {
                Ok(reply) => {
                    warnings(&reply.warnings);
                    let after = reply.object()?;
                    let same = after.meta().resource_version == before.meta().resource_version;
                    line(&format!("{} patched{}", named(&after), if same { " (no change)" } else { "" }));
                }
                Err(error) => failures.push(error.into()),
            }
        }
    }
    Failure::all(failures)
}
