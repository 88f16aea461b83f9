//! Generates the Rust types for `proto/`: the protobuf code with prost, serde attributes for Kubernetes' JSON, and a
//! static description of every message (`schema`) for strict validation and patches.

#![expect(clippy::expect_used, clippy::panic, reason = "a build script reports errors by panicking")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value};

type Error = Box<dyn std::error::Error>;

/// The Kubernetes files. Each is named after its package, except the last.
const KUBERNETES: [&str; 15] = [
    "apiextensions.v1",
    "apps.v1",
    "authentication.v1",
    "authorization.v1",
    "autoscaling.v1",
    "coordination.v1",
    "core.v1",
    "discovery.v1",
    "intstr",
    "meta.v1",
    "policy.v1",
    "rbac.v1",
    "resource",
    "runtime",
    "time",
];
const OWN: [&str; 7] = ["admin.v1", "api.v1", "cri.v1", "faults.v1", "node.v1", "openapi.v2", "raft.v1"];

fn main() -> Result<(), Error> {
    println!("cargo::rerun-if-changed=proto");
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    let kubernetes = KUBERNETES.map(|name| format!("kubernetes/{name}.proto"));
    let own = OWN.map(|name| format!("squall/{name}.proto"));
    let pool = load(kubernetes.iter().chain(&own))?;

    let mut config = prost_build::Config::new();
    config.btree_map(["."]).bytes([".squall", ".google"]).include_file("modules.rs");
    let mut schema = Schema::default();
    for message in pool.all_messages().filter(is_kubernetes) {
        describe(&message, &mut config)?;
        schema.add(&message);
    }
    std::fs::write(out.join("schema.rs"), schema.finish()?)?;

    let mut files = prost_types::FileDescriptorSet::decode(pool.encode_to_vec().as_slice())?;
    files.file.retain(|file| file.package() != "squall.options");
    for file in &mut files.file {
        prepare(file, &pool)?;
    }
    tonic_prost_build::configure().compile_well_known_types(false).compile_fds_with_config(files, config)?;
    Ok(())
}

/// Reads the files with their custom options, which the plain `protox::compile` drops.
fn load<'a>(files: impl Iterator<Item = &'a String>) -> Result<DescriptorPool, Error> {
    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_imports(true).include_source_info(true);
    for file in files {
        compiler.open_file(file)?;
    }
    Ok(DescriptorPool::decode(compiler.encode_file_descriptor_set().as_slice())?)
}

fn is_kubernetes(message: &MessageDescriptor) -> bool {
    KUBERNETES.contains(&message.package_name()) && !message.is_map_entry()
}

/// The options of a field, as defined in `squall/options.proto`.
struct Rules {
    inline: bool,
    keep_zero: bool,
    pointer: bool,
    patch_strategy: Vec<String>,
    patch_merge_key: String,
    list_map_keys: Vec<String>,
    atomic: bool,
}

impl Rules {
    fn of(field: &FieldDescriptor) -> Self {
        let rules = extension(field.options(), "squall.options.field");
        let flag = |name| rules.as_ref().and_then(|r| r.get_field_by_name(name)?.as_bool()).unwrap_or(false);
        let text = |name| rules.as_ref().and_then(|r| r.get_field_by_name(name)?.as_str().map(str::to_owned));
        let texts = |name| {
            let list = rules.as_ref().and_then(|r| r.get_field_by_name(name)?.as_list().map(<[Value]>::to_vec));
            list.unwrap_or_default().iter().filter_map(|v| v.as_str().map(str::to_owned)).collect::<Vec<String>>()
        };
        Self {
            inline: flag("inline"),
            keep_zero: flag("keep_zero"),
            pointer: flag("pointer"),
            patch_strategy: texts("patch_strategy"),
            patch_merge_key: text("patch_merge_key").unwrap_or_default(),
            list_map_keys: texts("list_map_keys"),
            atomic: flag("atomic"),
        }
    }
}

fn extension(options: DynamicMessage, name: &str) -> Option<DynamicMessage> {
    options
        .extensions()
        .find(|(extension, _)| extension.full_name() == name)
        .and_then(|(_, value)| value.as_message().cloned())
}

fn has_custom_json(message: &MessageDescriptor) -> bool {
    has_rule(message, "custom_json")
}

fn has_rule(message: &MessageDescriptor, name: &str) -> bool {
    extension(message.options(), "squall.options.message")
        .and_then(|rules| rules.get_field_by_name(name)?.as_bool())
        .unwrap_or(false)
}

/// Returns the comment before a message or a field.
fn comment(file: &prost_reflect::FileDescriptor, path: &[i32]) -> String {
    let source = file.file_descriptor_proto().source_code_info.as_ref();
    let place = source.and_then(|source| source.location.iter().find(|place| place.path == path));
    place.and_then(|place| place.leading_comments.as_deref()).unwrap_or_default().trim().replace('\n', "")
}

/// Adds serde attributes to a message and its fields.
fn describe(message: &MessageDescriptor, config: &mut prost_build::Config) -> Result<(), Error> {
    if has_custom_json(message) {
        return Ok(());
    }
    config.message_attribute(message.full_name(), "#[derive(serde::Serialize, serde::Deserialize)]");
    for field in message.fields() {
        let path = format!("{}.{}", message.full_name(), rust_name(field.name()));
        config.field_attribute(path, serde_attribute(&field, &Rules::of(&field)));
    }
    Ok(())
}

fn serde_attribute(field: &FieldDescriptor, rules: &Rules) -> String {
    if rules.inline {
        return "#[serde(flatten)]".to_owned();
    }
    let mut attribute = format!("#[serde(rename = \"{}\", default", field.json_name());
    if is_bytes(field) {
        let with = match (field.is_map(), rules.pointer) {
            (true, _) => "base64_map",
            (false, true) => "base64_option",
            (false, false) => "base64_bytes",
        };
        write!(attribute, ", with = \"crate::json::{with}\"").expect("writing to a String cannot fail");
    } else if field.kind() == Kind::Double {
        attribute.push_str(", with = \"crate::json::go_float\"");
    } else if !rules.pointer {
        attribute.push_str(", deserialize_with = \"crate::json::null_is_default\"");
    }
    if let Some(skip) = skip_condition(field, rules) {
        write!(attribute, ", skip_serializing_if = \"{skip}\"").expect("writing to a String cannot fail");
    } else if field.is_list() && field.name() != "items" && !is_bytes(field) {
        attribute.push_str(", serialize_with = \"crate::json::empty_is_null\"");
    }
    attribute + ")]"
}

/// Returns the condition under which Go's `omitempty` omits the field. Structs are never omitted; times have
/// `omitzero`.
fn skip_condition(field: &FieldDescriptor, rules: &Rules) -> Option<&'static str> {
    if rules.keep_zero {
        return None;
    }
    if field.is_map() {
        return Some("std::collections::BTreeMap::is_empty");
    }
    if field.is_list() {
        return Some("Vec::is_empty");
    }
    if rules.pointer {
        return Some("Option::is_none");
    }
    match field.kind() {
        Kind::String => Some("String::is_empty"),
        Kind::Bytes => Some("Vec::is_empty"),
        Kind::Message(message) => match message.full_name() {
            "meta.v1.Time" => Some("crate::meta::v1::Time::is_zero"),
            "meta.v1.MicroTime" => Some("crate::meta::v1::MicroTime::is_zero"),
            _ => None,
        },
        _ => Some("crate::json::is_zero"),
    }
}

fn is_bytes(field: &FieldDescriptor) -> bool {
    match field.kind() {
        Kind::Bytes => true,
        Kind::Message(entry) if field.is_map() => entry.map_entry_value_field().kind() == Kind::Bytes,
        _ => false,
    }
}

/// Converts a camelCase field name to snake_case. prost's own conversion would turn `podIPs` into `pod_i_ps`.
fn rust_name(name: &str) -> String {
    let name = name.replace("IPs", "Ips").replace("CIDRs", "Cidrs").replace("URLs", "Urls");
    let mut snake = String::new();
    let chars: Vec<char> = name.chars().collect();
    for (i, c) in chars.iter().enumerate() {
        let after_lower = i > 0 && !chars[i - 1].is_uppercase();
        let before_lower = i > 0 && chars.get(i + 1).is_some_and(|next| next.is_lowercase());
        if c.is_uppercase() && (after_lower || before_lower) && !snake.ends_with('_') {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

/// Rewrites the descriptors of the Kubernetes messages for prost: sets Rust names, and marks plain values as
/// `required`, so that they do not become `Option`s.
fn prepare(file: &mut prost_types::FileDescriptorProto, pool: &DescriptorPool) -> Result<(), Error> {
    // In proto3, scalars are plain values already.
    if !KUBERNETES.contains(&file.package()) || file.syntax() == "proto3" {
        return Ok(());
    }
    let package = file.package().to_owned();
    for message in &mut file.message_type {
        let full_name = format!("{package}.{}", message.name());
        let descriptor = pool.get_message_by_name(&full_name).ok_or("a message without a descriptor")?;
        for field in &mut message.field {
            let described = descriptor.get_field_by_name(field.name()).ok_or("a field without a descriptor")?;
            if !Rules::of(&described).pointer && !described.is_list() && !described.is_map() {
                field.set_label(prost_types::field_descriptor_proto::Label::Required);
            }
            field.name = Some(rust_name(field.name()));
        }
    }
    Ok(())
}

/// Returns the fields by which server-side apply matches list elements: the listed ones, or else the merge key.
fn map_keys(rules: &Rules) -> Vec<String> {
    let merge_key = rules.patch_merge_key.clone();
    match rules.list_map_keys.as_slice() {
        [] if rules.atomic || merge_key.is_empty() => Vec::new(),
        [] => vec![merge_key],
        keys => keys.to_vec(),
    }
}

/// The source text of `schema.rs`.
#[derive(Default)]
struct Schema {
    messages: BTreeMap<String, String>,
}

impl Schema {
    fn add(&mut self, message: &MessageDescriptor) {
        let mut fields = String::new();
        for field in message.fields() {
            let rules = Rules::of(&field);
            let json = if rules.inline { String::new() } else { field.json_name().to_owned() };
            let shape = if field.is_map() {
                "Map"
            } else if field.is_list() {
                "List"
            } else {
                "Single"
            };
            writeln!(
                fields,
                "Field {{ json: {json:?}, number: {}, shape: Shape::{shape}, kind: {}, required: {}, patch_strategy: &{:?}, \
                 merge_key: {:?}, map_keys: &{:?}, atomic: {}, doc: {:?} }},",
                field.number(),
                kind(&field),
                rules.keep_zero,
                rules.patch_strategy,
                rules.patch_merge_key,
                map_keys(&rules),
                rules.atomic,
                comment(&message.parent_file(), field.path()),
            )
            .expect("writing to a String cannot fail");
        }
        let custom = has_custom_json(message);
        self.messages.insert(
            message.full_name().to_owned(),
            format!(
                "Message {{ name: {:?}, custom_json: {custom}, atomic: {}, doc: {:?}, fields: &[{fields}] }}",
                message.full_name(),
                has_rule(message, "atomic"),
                comment(&message.parent_file(), message.path()),
            ),
        );
    }

    fn finish(self) -> Result<String, Error> {
        let mut text = String::from(
            "/// Every supported Kubernetes API message, sorted by name.\npub static MESSAGES: &[Message] = &[\n",
        );
        for message in self.messages.values() {
            writeln!(text, "{message},")?;
        }
        text.push_str("];\n");
        let names: Vec<&String> = self.messages.keys().collect();
        // Replace each reference with its index in the table.
        for (index, name) in names.iter().enumerate() {
            text = text.replace(&format!("Kind::Message(@{name}@)"), &format!("Kind::Message({index})"));
        }
        Ok(text)
    }
}

fn kind(field: &FieldDescriptor) -> String {
    let kind = match field.kind() {
        Kind::Message(entry) if field.is_map() => entry.map_entry_value_field().kind(),
        kind => kind,
    };
    match kind {
        Kind::Message(message) => format!("Kind::Message(@{}@)", message.full_name()),
        Kind::String => "Kind::String".to_owned(),
        Kind::Bool => "Kind::Bool".to_owned(),
        Kind::Int32 => "Kind::Int32".to_owned(),
        Kind::Int64 => "Kind::Int64".to_owned(),
        Kind::Double => "Kind::Double".to_owned(),
        Kind::Bytes => "Kind::Bytes".to_owned(),
        other => panic!("{}: unsupported field type {other:?}", field.full_name()),
    }
}
