//! A static description of every Kubernetes message: which JSON keys it has, of what type, and how a patch merges them.
//! Generated from the `.proto` files; strict validation and strategic merge patches walk it.

/// A message and its fields, in the order of the `.proto` file.
#[derive(Debug)]
pub struct Message {
    /// The protobuf name: `apps.v1.Deployment`.
    pub name: &'static str,
    /// Its JSON is not an object of its fields (a time is a string).
    pub custom_json: bool,
    /// It is applied and owned as a whole.
    pub atomic: bool,
    /// What it is for; may be empty.
    pub doc: &'static str,
    /// The fields.
    pub fields: &'static [Field],
}

/// One field of a message.
#[derive(Debug)]
pub struct Field {
    /// The key in JSON; empty when the fields of this message stand in its parent's object.
    pub json: &'static str,
    /// The protobuf field number.
    pub number: u32,
    /// Single, list or map.
    pub shape: Shape,
    /// The type of the value, or of each element.
    pub kind: Kind,
    /// It is always written, even when it has its zero value.
    pub required: bool,
    /// How a strategic merge patch treats it.
    pub patch_strategy: &'static [&'static str],
    /// By which field a list of objects is merged; empty if none.
    pub merge_key: &'static str,
    /// By which fields the elements of a list are owned when it is applied; empty if it is not owned by element.
    pub map_keys: &'static [&'static str],
    /// It is applied and owned as a whole.
    pub atomic: bool,
    /// What it is for; may be empty.
    pub doc: &'static str,
}

/// How many values a field has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One.
    Single,
    /// A list.
    List,
    /// A map from strings.
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
    /// Bytes: base64 in JSON.
    Bytes,
    /// A message: its place in [`MESSAGES`].
    Message(usize),
}

include!(concat!(env!("OUT_DIR"), "/schema.rs"));

impl Message {
    /// The message of this protobuf name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        MESSAGES.binary_search_by(|message| message.name.cmp(name)).ok().map(|index| &MESSAGES[index])
    }

    /// The field with this JSON key, in this message or in one that is inlined in it.
    #[must_use]
    pub fn field(&self, json: &str) -> Option<&'static Field> {
        self.fields.iter().find_map(|field| match field.kind {
            _ if field.json == json => Some(field),
            Kind::Message(index) if field.json.is_empty() => MESSAGES[index].field(json),
            _ => None,
        })
    }

    /// The last part of the name: `Deployment`.
    #[must_use]
    pub fn short_name(&self) -> &'static str {
        self.name.rsplit('.').next().unwrap_or(self.name)
    }
}
