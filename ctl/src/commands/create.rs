//! `ctl create -f`.

use serde_json::Value;
use squall_api::manifest;
use squall_client::WriteOptions;

use super::record::{CHANGE_CAUSE, command_line};
use crate::cli::{FileArgs, Global};
use crate::context::Context;
use crate::failure::Failure;
use crate::manifests;
use crate::output::{Format, line, named, print_objects, warnings};

/// Creates each object; goes on after a failure.
pub async fn run(context: &Context, global: &Global, args: FileArgs) -> Result<(), Failure> {
    let format = Format::parse(args.output.as_deref())?;
    let validation = validation(&args.validate)?;
    let mut failures = Vec::new();
    let documents =
        manifests::read_some(context, global.namespace.as_deref(), &args.filename, "create", &mut failures)?;
    for mut document in documents {
        if args.record
            && let Some(annotations) = manifest::annotations_mut(&mut document.json)
        {
            annotations.insert(CHANGE_CAUSE.to_owned(), Value::String(command_line()));
        }
        let options = WriteOptions { field_validation: validation.to_owned(), ..WriteOptions::default() };
        match context.client.create(&document.collection(), document.manifest(), options).await {
            Ok(reply) => {
                warnings(&reply.warnings);
                let object = reply.object()?;
                match format {
                    Format::Table | Format::Wide => line(&format!("{} created", named(&object))),
                    other => print_objects(&[object], true, other)?,
                }
            }
            Err(error) => failures.push(Failure::api_with_file(&error, "creating", &document.file)),
        }
    }
    Failure::all(failures)
}

/// `--validate`, as the API names it.
pub fn validation(text: &str) -> Result<&'static str, Failure> {
    match text {
        "strict" | "true" => Ok("Strict"),
        "warn" => Ok("Warn"),
        "ignore" | "false" => Ok("Ignore"),
        other => Err(Failure::error(format!("invalid - validate option {other:?}"))),
    }
}
