//! `ctl get`.

use std::pin::pin;

use jiff::Timestamp;
use squall_api::{Kind, Object};
use squall_client::{Event, Selection, Watch};

use crate::cli::GetArgs;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Format, Rows, Shown, is_broken, line, line_error, print_objects, print_table, unwatched};
use crate::selection::{self, Namespaces, Target, Wanted};
use crate::sorting;

/// Shows objects, once or as they change.
pub async fn run(context: &Context, args: GetArgs) -> Result<(), Failure> {
    let format = Format::parse(args.output.as_deref())?;
    let mut failures = Vec::new();
    let from_files = !args.filename.is_empty();
    let targets = if from_files { Vec::new() } else { selection::parse(context, &args.select.what).await? };
    let mut rows = Rows {
        wide: matches!(format, Format::Wide),
        show_labels: args.show_labels,
        no_headers: args.no_headers,
        all_namespaces: args.select.all_namespaces,
        with_kind: targets.len() > 1,
        label_columns: args.label_columns.clone(),
        ..Rows::default()
    };
    if args.watch || args.watch_only {
        if from_files {
            return Err(Failure::error("-w cannot be used with -f: name the objects instead"));
        }
        return watch(context, &args, &targets, &format, rows).await;
    }
    let mut groups: Vec<(Kind, Vec<Object>)> = Vec::new();
    for target in &targets {
        let objects = selection::fetch(context, target, &args.select, &mut failures).await?;
        groups.push((target.kind, objects));
    }
    if from_files {
        let (selector, what) = (args.select.selector.as_deref(), &args.select.what);
        let wanted = Wanted { what, filename: &args.filename, selector, ..Wanted::default() };
        let chosen = selection::choose(context, wanted, &mut failures).await?;
        let objects = selection::fetch_chosen(context, chosen, &mut failures).await?;
        groups.extend(objects.into_iter().map(|object| (object.kind(), vec![object])));
        rows.with_kind = groups.iter().any(|(kind, _)| Some(kind) != groups.first().map(|(first, _)| first));
    }
    if args.ignore_not_found {
        failures.retain(|failure| !failure.is_not_found());
    }
    show(context, &args, &targets, &format, &rows, groups)?;
    Failure::all(failures)
}

fn show(
    context: &Context,
    args: &GetArgs,
    targets: &[Target],
    format: &Format,
    rows: &Rows,
    groups: Vec<(Kind, Vec<Object>)>,
) -> Result<(), Failure> {
    let by_name = targets.is_empty() || targets.iter().any(|target| !target.names.is_empty());
    if !format.is_table() {
        let mut objects: Vec<Object> = groups.into_iter().flat_map(|(_, objects)| objects).collect();
        if objects.is_empty() && by_name {
            return Ok(());
        }
        sorting::sort(&mut objects, args.sort_by.as_deref())?;
        return print_objects(&objects, Shown { single: by_name && objects.len() == 1, ..shown(args) }, format);
    }
    let mut groups: Vec<(Kind, Vec<Object>)> = groups.into_iter().filter(|(_, objects)| !objects.is_empty()).collect();
    if groups.is_empty() && !by_name && !args.ignore_not_found {
        line_error(&selection::nothing_found(context, targets, Namespaces::of(args.select.all_namespaces)));
    }
    // Objects named by TYPE/NAME come one by one; those of a kind share a table.
    groups.dedup_by(|next, previous| {
        let same = next.0 == previous.0;
        if same {
            previous.1.append(&mut next.1);
        }
        same
    });
    for (index, (kind, objects)) in groups.iter_mut().enumerate() {
        if index > 0 {
            line("");
        }
        sorting::sort(objects, args.sort_by.as_deref())?;
        print_table(*kind, objects, rows, Timestamp::now());
    }
    Ok(())
}

/// The options for a list.
const fn shown(args: &GetArgs) -> Shown {
    Shown { single: false, managed_fields: args.show_managed_fields, no_headers: args.no_headers }
}

/// Shows the existing objects and then each change, until interrupted.
async fn watch(
    context: &Context,
    args: &GetArgs,
    targets: &[Target],
    format: &Format,
    rows: Rows,
) -> Result<(), Failure> {
    let [target] = targets else {
        return Err(Failure::error("you may only specify a single resource type"));
    };
    let name = match target.names.as_slice() {
        [] => None,
        [name] => Some(name),
        _ => return Err(Failure::error("you may only specify a single resource name with --watch")),
    };
    let mut fields = args.select.field_selector.clone().unwrap_or_default();
    if let Some(name) = name {
        // A missing object is reported at once.
        let namespace = selection::namespace_of(target.kind, context, Namespaces::Current);
        selection::get(&context.client, target.kind, &namespace, name).await?;
        fields = format!("metadata.name={name}");
    }
    let selection = Selection {
        kind: target.kind,
        namespace: selection::namespace_of(target.kind, context, Namespaces::of(args.select.all_namespaces)),
        labels: args.select.selector.clone().unwrap_or_default(),
        fields,
    };
    let mut watch = Watch::new(context.client.clone(), selection);
    let mut printer = Printer { kind: target.kind, args, format, rows };
    let mut initial = true;
    let mut end = pin!(unwatched());
    loop {
        let (object, event) = tokio::select! {
            event = watch.next() => match event? {
                Event::Applied(object, _) => (object, if initial { "ADDED" } else { "MODIFIED" }),
                Event::Deleted(object, _) => (object, "DELETED"),
                Event::Complete(_) => {
                    initial = false;
                    continue;
                }
                Event::Begin | Event::Progress(_) => continue,
            },
            () = &mut end => return Ok(()),
        };
        if initial && args.watch_only {
            continue;
        }
        printer.print(context.adopted(*object), event)?;
        if is_broken() {
            return Ok(());
        }
    }
}

/// Prints the rows of a watch. Headings and widths depend on the rows printed before.
struct Printer<'a> {
    kind: Kind,
    args: &'a GetArgs,
    format: &'a Format,
    rows: Rows,
}

impl Printer<'_> {
    fn print(&mut self, object: Object, event: &'static str) -> Result<(), Failure> {
        if !self.format.is_table() {
            return print_objects(&[object], Shown { single: true, ..shown(self.args) }, self.format);
        }
        self.rows.event = self.args.output_watch_events.then_some(event);
        self.rows.widths = print_table(self.kind, &[object], &self.rows, Timestamp::now());
        self.rows.no_headers = true;
        Ok(())
    }
}
