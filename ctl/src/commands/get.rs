//! `ctl get`.

use jiff::Timestamp;
use squall_api::{Kind, Object};
use squall_client::{Event, Selection, Watch};

use crate::cli::GetArgs;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Format, Rows, is_broken, line_error, print_objects, print_table};
use crate::selection::{self, Target};

/// Shows objects, once or as they change.
pub async fn run(context: &Context, args: GetArgs) -> Result<(), Failure> {
    let format = Format::parse(args.output.as_deref())?;
    let targets = selection::parse(&args.select.what)?;
    let rows = Rows {
        wide: format == Format::Wide,
        show_labels: args.show_labels,
        no_headers: args.no_headers,
        all_namespaces: args.select.all_namespaces,
        with_kind: targets.len() > 1,
    };
    if args.watch {
        return watch(context, &args, &targets, format, rows).await;
    }
    let mut failures = Vec::new();
    let mut groups: Vec<(Kind, Vec<Object>)> = Vec::new();
    for target in &targets {
        let objects = selection::fetch(context, target, &args.select, &mut failures).await?;
        groups.push((target.kind, objects));
    }
    if args.ignore_not_found {
        failures.clear();
    }
    show(context, &args, &targets, format, rows, groups)?;
    Failure::all(failures)
}

fn show(
    context: &Context,
    args: &GetArgs,
    targets: &[Target],
    format: Format,
    rows: Rows,
    groups: Vec<(Kind, Vec<Object>)>,
) -> Result<(), Failure> {
    let by_name = targets.iter().any(|target| !target.names.is_empty());
    if !matches!(format, Format::Table | Format::Wide) {
        let objects: Vec<Object> = groups.into_iter().flat_map(|(_, objects)| objects).collect();
        if objects.is_empty() && by_name {
            return Ok(());
        }
        let single = by_name && objects.len() == 1;
        return print_objects(&objects, single, format);
    }
    let mut groups: Vec<(Kind, Vec<Object>)> = groups.into_iter().filter(|(_, objects)| !objects.is_empty()).collect();
    if groups.is_empty() && !by_name {
        line_error(&selection::nothing_found(context, targets, args.select.all_namespaces));
    }
    // Objects named by TYPE/NAME come one by one; those of a kind share a table.
    groups.dedup_by(|next, previous| {
        let same = next.0 == previous.0;
        if same {
            previous.1.append(&mut next.1);
        }
        same
    });
    for (index, (kind, objects)) in groups.iter().enumerate() {
        if index > 0 {
            crate::output::line("");
        }
        print_table(*kind, objects, rows, Timestamp::now());
    }
    Ok(())
}

/// Shows what there is and then each change, until interrupted.
async fn watch(
    context: &Context,
    args: &GetArgs,
    targets: &[Target],
    format: Format,
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
        // A name that is not there is told at once.
        let namespace = selection::namespace_of(target.kind, context, false);
        selection::get(&context.client, target.kind, &namespace, name).await?;
        fields = format!("metadata.name={name}");
    }
    let selection = Selection {
        kind: target.kind,
        namespace: selection::namespace_of(target.kind, context, args.select.all_namespaces),
        labels: args.select.selector.clone().unwrap_or_default(),
        fields,
    };
    let mut watch = Watch::new(context.client.clone(), selection);
    let mut first = !args.no_headers;
    loop {
        let object = tokio::select! {
            event = watch.next() => match event? {
                Event::Applied(object, _) | Event::Deleted(object, _) => *object,
                Event::Begin | Event::Complete(_) | Event::Progress(_) => continue,
            },
            _ = tokio::signal::ctrl_c() => return Ok(()),
        };
        match format {
            Format::Table | Format::Wide => {
                print_table(target.kind, &[object], Rows { no_headers: !first, ..rows }, Timestamp::now());
                first = false;
            }
            other => print_objects(&[object], true, other)?,
        }
        if is_broken() {
            return Ok(());
        }
    }
}
