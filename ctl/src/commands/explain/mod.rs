//! `ctl explain`: describes the fields of a resource type.

mod custom;

use squall_api::Kind;
use squall_api::schema::{Field, Kind as FieldKind, MESSAGES, Message, Shape};

use crate::cli::{ExplainArgs, Global};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::line;

/// Line width, as in kubectl.
const WIDTH: usize = 80;

/// Describes a resource type or one of its fields.
pub async fn run(global: &Global, args: &ExplainArgs) -> Result<(), Failure> {
    let word = args.what.split(['.', '/']).next().unwrap_or_default();
    match Kind::of_word(word) {
        Some(kind) => built_in(kind, args),
        None => custom::explain(&Context::find(global)?, args).await,
    }
}

fn built_in(kind: Kind, args: &ExplainArgs) -> Result<(), Failure> {
    let mut path = args.what.split(['.', '/']).filter(|part| !part.is_empty());
    path.next();
    let mut message = message_of(kind)?;
    let mut field: Option<&Field> = None;
    for name in path {
        let found = message.field(name).ok_or_else(|| Failure::error(format!("field {name:?} does not exist")))?;
        field = Some(found);
        message = match found.kind {
            FieldKind::Message(index) => &MESSAGES[index],
            _ => &EMPTY,
        };
    }
    show_kind(kind);
    if let Some(field) = field {
        line(&format!("FIELD: {} <{}>", field.json, type_of(field)));
        line("");
    }
    line("DESCRIPTION:");
    paragraph(field.map(|field| field.doc).filter(|doc| !doc.is_empty()).unwrap_or(message.doc), "    ");
    let fields = fields(message);
    if !fields.is_empty() && !message.custom_json {
        line("");
        line("FIELDS:");
        for field in fields {
            match args.recursive {
                true => show_tree(field, 1, &mut Vec::new()),
                false => show(field),
            }
        }
    }
    Ok(())
}

fn show_kind(kind: Kind) {
    let info = kind.info();
    if !info.group.is_empty() {
        line(&format!("GROUP:      {}", info.group));
    }
    line(&format!("KIND:       {}", info.kind));
    line(&format!("VERSION:    {}", info.version));
    line("");
}

/// Stands for the type of a field that has no fields itself.
static EMPTY: Message = Message { name: "", custom_json: true, atomic: false, doc: "", fields: &[] };

fn message_of(kind: Kind) -> Result<&'static Message, Failure> {
    Message::find(kind.info().message).ok_or_else(|| Failure::error(format!("{} is not described", kind.info().kind)))
}

/// The fields of a message and of its inlined messages, sorted by name.
fn fields(message: &'static Message) -> Vec<&'static Field> {
    let mut all: Vec<&'static Field> = Vec::new();
    for field in message.fields {
        match field.kind {
            FieldKind::Message(index) if field.json.is_empty() => all.extend(fields(&MESSAGES[index])),
            _ => all.push(field),
        }
    }
    all.sort_by_key(|field| field.json);
    all
}

fn type_of(field: &Field) -> String {
    let one = match field.kind {
        FieldKind::String | FieldKind::Bytes => "string".to_owned(),
        FieldKind::Bool => "boolean".to_owned(),
        FieldKind::Int32 | FieldKind::Int64 => "integer".to_owned(),
        FieldKind::Double => "number".to_owned(),
        FieldKind::Message(index) => MESSAGES[index].short_name().to_owned(),
    };
    match field.shape {
        Shape::Single => one,
        Shape::List => format!("[]{one}"),
        Shape::Map => format!("map[string]{one}"),
    }
}

/// Shows a field with its description.
fn show(field: &Field) {
    heading(field, 1);
    paragraph(field.doc, "    ");
    line("");
}

/// Shows a field and all fields below it.
fn show_tree(field: &'static Field, depth: usize, within: &mut Vec<usize>) {
    heading(field, depth);
    if let FieldKind::Message(index) = field.kind
        && !MESSAGES[index].custom_json
        // A schema has schemas within it, each of which has.
        && !within.contains(&index)
    {
        within.push(index);
        fields(&MESSAGES[index]).into_iter().for_each(|field| show_tree(field, depth + 1, within));
        within.pop();
    }
}

fn heading(field: &Field, depth: usize) {
    let required = if field.required { " -required-" } else { "" };
    line(&format!("{}{}\t<{}>{required}", "  ".repeat(depth), field.json, type_of(field)));
}

fn paragraph(text: &str, indent: &str) {
    let mut row = String::new();
    for word in if text.is_empty() { "<empty>" } else { text }.split_whitespace() {
        if !row.is_empty() && indent.len() + row.len() + 1 + word.len() > WIDTH {
            line(&format!("{indent}{row}"));
            row.clear();
        }
        row.push_str(if row.is_empty() { "" } else { " " });
        row.push_str(word);
    }
    line(&format!("{indent}{row}"));
}
