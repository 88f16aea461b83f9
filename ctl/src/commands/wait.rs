//! `ctl wait`.

use std::time::Duration;

use serde_json::Value;
use squall_api::jsonpath::Path;
use squall_api::timing::later;
use squall_api::{Object, duration};
use squall_client::{Error, Event, ResourceRef, Selection, Watch};

use super::delete::wait_gone;
use crate::cli::WaitArgs;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::jsonpath::text_of;
use crate::output::{line, line_error, named};
use crate::selection::{self, Wanted};

/// kubectl: the meaning of a negative timeout.
const WEEK: Duration = Duration::from_secs(7 * 24 * 3_600);

/// The condition to wait for.
enum Goal {
    Delete,
    Create,
    /// A condition and its value.
    Condition(String, String),
    /// A path and its expected value; `None` for any value.
    Path(Path, Option<String>),
}

/// How long a goal is waited for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Patience {
    /// Not at all: one check, however long it takes.
    None,
    /// Until it is reached, or the caller gives up.
    Endless,
}

/// Waits for each object, all within one timeout.
pub async fn run(context: &Context, args: WaitArgs) -> Result<(), Failure> {
    let goal = goal(&args.condition)?;
    let limit = limit(&args.timeout)?;
    let mut failures = Vec::new();
    let wanted = Wanted { all: args.all, ..Wanted::of(&args.select, &args.filename) };
    let chosen = selection::choose(context, wanted, &mut failures).await?;
    if chosen.is_empty() {
        Failure::all(failures)?;
        return if matches!(goal, Goal::Delete) { Ok(()) } else { Err(Failure::error("no matching resources found")) };
    }
    let deadline = later(tokio::time::Instant::now(), limit);
    for chosen in chosen {
        let resource = &chosen.resource;
        let name = format!("{}/{}", resource.kind.info().plural, resource.name);
        let reached = match limit.is_zero() {
            true => Ok(reach(context, resource, &goal, Patience::None).await),
            false => tokio::time::timeout_at(deadline, reach(context, resource, &goal, Patience::Endless)).await,
        };
        match reached {
            Ok(Ok(text)) => line(&text),
            Ok(Err(failure)) => failures.push(failure),
            Err(_) => failures.push(Failure::error(format!("timed out waiting for the condition on {name}"))),
        }
    }
    Failure::all(failures)
}

fn limit(text: &str) -> Result<Duration, Failure> {
    match text.strip_prefix('-') {
        Some(_) => Ok(WEEK),
        None => duration::parse(text).map_err(|problem| Failure::error(format!("--timeout: {problem}"))),
    }
}

fn goal(text: &str) -> Result<Goal, Failure> {
    if let Some(condition) = text.strip_prefix("condition=") {
        let (name, value) = condition.split_once('=').unwrap_or((condition, "True"));
        return Ok(Goal::Condition(name.to_owned(), value.to_owned()));
    }
    if let Some(path) = text.strip_prefix("jsonpath=") {
        // The value comes after the closing brace of the path, which may contain equals signs itself.
        let (path, value) = match (path.split_once("}="), path.split_once('=')) {
            (Some((path, value)), _) => (format!("{path}}}"), Some(unquoted(value))),
            (None, Some((path, value))) if !path.contains('[') => (path.to_owned(), Some(unquoted(value))),
            (None, _) => (path.to_owned(), None),
        };
        let path = Path::relaxed(path.trim_matches(['\'', '"'])).map_err(Failure::error)?;
        return Ok(Goal::Path(path, value));
    }
    match text.to_lowercase().as_str() {
        "delete" => Ok(Goal::Delete),
        "create" => Ok(Goal::Create),
        _ => Err(Failure::error(format!("unrecognized condition: {text:?}"))),
    }
}

fn unquoted(text: &str) -> String {
    text.trim_matches(['\'', '"']).to_owned()
}

/// Waits for one object. Returns the message to print.
async fn reach(context: &Context, resource: &ResourceRef, goal: &Goal, patience: Patience) -> Result<String, Failure> {
    let there = selection::get(&context.client, resource.kind, &resource.namespace, &resource.name).await;
    match (goal, there) {
        (Goal::Delete, Err(error)) if error.is_not_found() => Ok(format!("{} deleted", name_of(resource))),
        (Goal::Delete, Ok(object)) => {
            wait_gone(&context.client, resource, &object.meta().uid).await?;
            Ok(format!("{} deleted", named(&object)))
        }
        (Goal::Create, Ok(object)) => Ok(format!("{} condition met", named(&object))),
        (Goal::Create, Err(error)) if error.is_not_found() => watch(context, resource, |_| true, patience).await,
        (_, Err(error)) => Err(error.into()),
        (Goal::Condition(name, value), Ok(_)) => {
            watch(context, resource, |object| has_condition(object, name, value), patience).await
        }
        (Goal::Path(path, value), Ok(_)) => {
            watch(context, resource, |object| leads_to(object, path, value.as_deref()), patience).await
        }
    }
}

fn name_of(resource: &ResourceRef) -> String {
    format!("{}/{}", resource.kind.info().singular_group(), resource.name)
}

async fn watch(
    context: &Context,
    resource: &ResourceRef,
    met: impl Fn(&Object) -> bool,
    patience: Patience,
) -> Result<String, Failure> {
    let selection = Selection {
        kind: resource.kind,
        namespace: resource.namespace.clone(),
        labels: String::new(),
        fields: format!("metadata.name={}", resource.name),
    };
    let mut watch = Watch::new(context.client.clone(), selection);
    let (mut there, mut seen) = (false, false);
    loop {
        let event = watch.next().await;
        match &event {
            Ok(Event::Begin) => there = false,
            Ok(Event::Applied(..)) => (there, seen) = (true, true),
            _ => {}
        }
        match event {
            Ok(Event::Applied(object, _)) if met(&object) => return Ok(format!("{} condition met", named(&object))),
            Ok(Event::Complete(_)) if seen && !there => {
                return Err(Error::from(squall_api::Error::not_found(resource.kind, &resource.name)).into());
            }
            Ok(Event::Deleted(..)) => {
                return Err(Error::from(squall_api::Error::not_found(resource.kind, &resource.name)).into());
            }
            Ok(Event::Complete(_)) if patience == Patience::None => {
                return Err(Failure::error(format!("condition not met for {}", resource.name)));
            }
            Ok(Event::Applied(..) | Event::Begin | Event::Complete(_) | Event::Progress(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Whether a condition has a value. False as long as the controller has not observed the latest generation.
fn has_condition(object: &Object, name: &str, value: &str) -> bool {
    let json = object.to_json();
    let observed = json.pointer("/status/observedGeneration").and_then(Value::as_i64);
    if observed.is_some_and(|observed| observed < object.meta().generation) {
        return false;
    }
    let conditions = json.pointer("/status/conditions").and_then(Value::as_array);
    let text = |condition: &Value, key: &str| condition.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    conditions.into_iter().flatten().any(|condition| {
        text(condition, "type").eq_ignore_ascii_case(name) && text(condition, "status").eq_ignore_ascii_case(value)
    })
}

fn leads_to(object: &Object, path: &Path, value: Option<&str>) -> bool {
    let json = object.to_json();
    let found = path.find(&json);
    match (found.as_slice(), value) {
        ([], _) => false,
        (_, None) => true,
        ([one], Some(value)) => text_of(one) == value,
        (many, Some(_)) => {
            line_error(&format!("the path matches {} values, but --for needs exactly one", many.len()));
            false
        }
    }
}
