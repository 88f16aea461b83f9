//! `ctl why`: explains in one sentence what an object is waiting for, with evidence.

use serde_json::json;
use squall_api::Object;
use squall_why::Answer;

use crate::cli::WhyArgs;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{line, named};
use crate::selection::{self, Namespaces};

/// Prints the answer for each object.
pub async fn run(context: &Context, args: WhyArgs) -> Result<(), Failure> {
    let json = match args.output.as_deref() {
        None | Some("") => false,
        Some("json") => true,
        Some(other) => {
            return Err(Failure::error(format!("unknown output format {other:?}: use json")));
        }
    };
    for target in selection::parse_named(context, &args.what).await? {
        for name in &target.names {
            let namespace = selection::namespace_of(target.kind, context, Namespaces::Current);
            let object = selection::get(&context.client, target.kind, &namespace, name).await?;
            let answer = squall_why::explain(&context.client, &object).await?.ok_or_else(|| unknown(&object))?;
            if json {
                print_json(&object, &answer);
            } else {
                print(&object, &answer);
            }
        }
    }
    Ok(())
}

fn unknown(object: &Object) -> Failure {
    let plural = &object.kind().info().plural;
    let known = squall_why::KINDS.map(|kind| kind.info().singular);
    let (last, others) = known.split_last().unwrap_or((&"", &[]));
    Failure::error(format!("cannot explain {plural}: use a {} or {last}", others.join(", ")))
}

fn print(object: &Object, answer: &Answer) {
    line(&format!("{} {}.", named(object), answer.says));
    let width = answer.evidence.iter().map(|evidence| evidence.object.chars().count()).max().unwrap_or(0);
    for evidence in &answer.evidence {
        line(&format!("  {:<width$}  {} (version {})", evidence.object, evidence.says, evidence.resource_version));
    }
}

fn print_json(object: &Object, answer: &Answer) {
    let evidence: Vec<_> = answer
        .evidence
        .iter()
        .map(|evidence| json!({"object": evidence.object, "resourceVersion": evidence.resource_version, "says": evidence.says}))
        .collect();
    let value = json!({
        "object": named(object),
        "namespace": object.meta().namespace,
        "resourceVersion": object.meta().resource_version,
        "gate": answer.gate,
        "answer": answer.says,
        "evidence": evidence,
    });
    line(&value.to_string());
}
