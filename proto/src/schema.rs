//! A static description of every Kubernetes message: its JSON keys, their types and how patches merge them. Generated
//! from the `.proto` files; strict validation and strategic merge patches walk it.

/// A message and its fields.
#[derive(Debug)]
pub struct Message {
    /// The protobuf name: `apps.v1.Deployment`.
    pub name: &'static str,
    /// The JSON is not an object with the fields of the message (a time is a string).
    pub custom_json: bool,
    /// Server-side apply treats the value as a whole.
    pub atomic: bool,
    /// The description that `explain` prints; may be empty.
    pub doc: &'static str,
    /// The fields, in the order of the `.proto` file.
    pub fields: &'static [Field],
}

/// One field of a message.
#[derive(Debug)]
pub struct Field {
    /// The key in JSON; empty if the fields of this message are inlined in its parent's object.
    pub json: &'static str,
    /// The protobuf field number.
    pub number: u32,
    /// Single, list or map.
    pub shape: Shape,
    /// The type of the value, or of each element.
    pub kind: Kind,
    /// The field is always written, even if it has its zero value.
    pub required: bool,
    /// How a strategic merge patch treats the field: `merge`, `replace`, `retainKeys`.
    pub patch_strategy: &'static [&'static str],
    /// The field by which a strategic merge patch matches list elements; empty if there is none.
    pub merge_key: &'static str,
    /// The fields by which server-side apply matches list elements; empty if the elements have no owners of their own.
    pub map_keys: &'static [&'static str],
    /// Server-side apply treats the value as a whole.
    pub atomic: bool,
    /// The description that `explain` prints; may be empty.
    pub doc: &'static str,
}

/// How many values a field has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A single value.
    Single,
    /// A list of values.
    List,
    /// A map from strings to values.
    Map,
}

/// The type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A string.
    String,
    /// A bool.
    Bool,
    /// A 32-bit integer.
    Int32,
    /// A 64-bit integer.
    Int64,
    /// A 64-bit floating-point number.
    Double,
    /// Bytes: base64 in JSON.
    Bytes,
    /// A message: its index in [`MESSAGES`].
    Message(usize),
}

include!(concat!(env!("OUT_DIR"), "/schema.rs"));

impl Message {
    /// Returns the message with this protobuf name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        MESSAGES.binary_search_by(|message| message.name.cmp(name)).ok().map(|index| &MESSAGES[index])
    }

    /// Returns the field with this JSON key, in this message or in an inlined one.
    #[must_use]
    pub fn field(&self, json: &str) -> Option<&'static Field> {
        self.fields.iter().find_map(|field| match field.kind {
            _ if field.json == json => Some(field),
            Kind::Message(index) if field.json.is_empty() => MESSAGES[index].field(json),
            _ => None,
        })
    }

    /// Returns the last part of the name: `Deployment`.
    #[must_use]
    pub fn short_name(&self) -> &'static str {
        self.name.rsplit('.').next().unwrap_or(self.name)
    }
}
