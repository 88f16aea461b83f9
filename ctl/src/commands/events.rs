//! `ctl events`: shows events in the order in which they happened.

use std::pin::pin;

use jiff::Timestamp;
use squall_api::core::v1::Event as HappenedEvent;
use squall_api::{Kind, Object, age};
use squall_client::{Event, ResourceRef, Selection, Watch};

use crate::cli::EventsArgs;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Format, Shown, is_broken, line_error, print_cells, print_objects, unwatched};
use crate::selection;

const GAP: usize = 3;

/// Shows events, once or as they happen.
pub async fn run(context: &Context, args: EventsArgs) -> Result<(), Failure> {
    let format = Format::parse(args.output.as_deref())?;
    let mut fields = Vec::new();
    if let Some(object) = &args.object {
        let targets = selection::parse_named(context, std::slice::from_ref(object)).await?;
        for target in targets {
            fields.push(format!("involvedObject.kind={}", target.kind.info().kind));
            fields.extend(target.names.iter().map(|name| format!("involvedObject.name={name}")));
        }
    }
    let namespace = if args.all_namespaces { "" } else { context.namespace.as_str() };
    let fields = fields.join(",");
    if args.watch {
        return watch(context, &args, namespace, fields, &format).await;
    }
    let collection = ResourceRef::collection(Kind::Event, namespace);
    let (_, objects) = context.client.list(&collection, "", &fields, "").await?;
    let mut events: Vec<HappenedEvent> =
        objects.into_iter().filter_map(|object| HappenedEvent::try_from(object).ok()).collect();
    events.retain(|event| wanted(event, &args));
    events.sort_by_key(last_seen);
    if !format.is_table() {
        let objects: Vec<Object> = events.into_iter().map(Object::from).collect();
        return print_objects(&objects, Shown::default(), &format);
    }
    if events.is_empty() {
        line_error(&if args.all_namespaces {
            "No events found".to_owned()
        } else {
            format!("No events found in {namespace} namespace.")
        });
        return Ok(());
    }
    let headings = (!args.no_headers).then(|| headings(&args));
    print(headings, &events, &args);
    Ok(())
}

async fn watch(
    context: &Context,
    args: &EventsArgs,
    namespace: &str,
    fields: String,
    format: &Format,
) -> Result<(), Failure> {
    let selection = Selection { kind: Kind::Event, namespace: namespace.to_owned(), labels: String::new(), fields };
    let mut watch = Watch::new(context.client.clone(), selection);
    let mut headings = (!args.no_headers).then(|| headings(args));
    let mut end = pin!(unwatched());
    loop {
        let object = tokio::select! {
            event = watch.next() => match event? {
                Event::Applied(object, _) => *object,
                Event::Begin | Event::Complete(_) | Event::Progress(_) | Event::Deleted(..) => continue,
            },
            () = &mut end => return Ok(()),
        };
        let Ok(event) = HappenedEvent::try_from(object) else { continue };
        if !wanted(&event, args) {
            continue;
        }
        if format.is_table() {
            print(headings.take(), &[event], args);
        } else {
            print_objects(&[event.into()], Shown { single: true, ..Shown::default() }, format)?;
        }
        if is_broken() {
            return Ok(());
        }
    }
}

fn wanted(event: &HappenedEvent, args: &EventsArgs) -> bool {
    args.types.is_empty() || args.types.iter().any(|wanted| wanted.eq_ignore_ascii_case(&event.r#type))
}

fn last_seen(event: &HappenedEvent) -> Timestamp {
    event.last_timestamp.timestamp().max(event.event_time.timestamp())
}

fn headings(args: &EventsArgs) -> Vec<String> {
    let words = ["LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"].map(str::to_owned);
    args.all_namespaces.then(|| "NAMESPACE".to_owned()).into_iter().chain(words).collect()
}

fn print(headings: Option<Vec<String>>, events: &[HappenedEvent], args: &EventsArgs) {
    let now = Timestamp::now();
    let mut rows: Vec<Vec<String>> = headings.into_iter().collect();
    let namespace = |text: &str| args.all_namespaces.then(|| text.to_owned());
    rows.extend(events.iter().map(|event| {
        let object = &event.involved_object;
        let cells = [
            age::human(now.duration_since(last_seen(event)).as_secs()),
            event.r#type.clone(),
            event.reason.clone(),
            format!("{}/{}", object.kind, object.name),
            event.message.trim().to_owned(),
        ];
        namespace(&event.metadata.namespace).into_iter().chain(cells).collect()
    }));
    print_cells(&rows, GAP);
}
