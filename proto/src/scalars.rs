//! Messages with a custom JSON form: a time and a quantity are strings, an `IntOrString` is a number or a string.

use std::fmt;

use jiff::Timestamp;
use serde::de::{Error as _, Unexpected};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::intstr::IntOrString;
use crate::json::{raw_to_value, value_to_raw};
use crate::meta::v1::{FieldsV1, MicroTime, Time, Verbs};
use crate::quantity::canonical;
use crate::resource::Quantity;
use crate::runtime::RawExtension;
use crate::text::{format_rfc3339_micros, format_rfc3339_seconds};

impl Time {
    /// Converts from a timestamp and keeps the nanoseconds. The JSON has whole seconds only, but a cluster in `fast`
    /// timing counts `minReadySeconds` in tenths of seconds.
    #[must_use]
    pub fn from_timestamp(time: Timestamp) -> Self {
        let (seconds, nanos) = parts(time);
        Self { seconds, nanos }
    }

    /// Converts to a timestamp. Clamps times outside the years -9999 to 9999.
    #[must_use]
    pub fn timestamp(&self) -> Timestamp {
        timestamp(self.seconds, self.nanos)
    }

    /// Returns whether the time is unset, like Go's zero time.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        *self == Self::default()
    }
}

impl MicroTime {
    /// Converts from a timestamp and truncates it to microseconds.
    #[must_use]
    pub fn from_timestamp(time: Timestamp) -> Self {
        let (seconds, nanos) = parts(time);
        Self { seconds, nanos: nanos.saturating_sub(nanos % 1_000) }
    }

    /// Converts to a timestamp. Clamps times outside the years -9999 to 9999.
    #[must_use]
    pub fn timestamp(&self) -> Timestamp {
        timestamp(self.seconds, self.nanos)
    }

    /// Returns whether the time is unset, like Go's zero time.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        *self == Self::default()
    }
}

/// Returns the seconds of a time and the nanoseconds after them, which are never negative.
fn parts(time: Timestamp) -> (i64, i32) {
    match (time.as_second(), time.subsec_nanosecond()) {
        (seconds, nanos @ ..0) => (seconds.saturating_sub(1), nanos.saturating_add(1_000_000_000)),
        parts => parts,
    }
}

fn timestamp(seconds: i64, nanos: i32) -> Timestamp {
    let nearest = if seconds < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::new(seconds, nanos.clamp(0, 999_999_999)).unwrap_or(nearest)
}

fn parse_time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    let time = text.parse().map_err(|_| {
        D::Error::custom(format!("parsing time {text:?} as \"2006-01-02T15:04:05Z07:00\": cannot parse {text:?}"))
    })?;
    Ok(Some(time))
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.is_zero() {
            serializer.serialize_none()
        } else {
            serializer.serialize_str(&format_rfc3339_seconds(self.timestamp()))
        }
    }
}

impl<'de> Deserialize<'de> for Time {
    /// Kubernetes: the JSON has whole seconds, and fractions in it are dropped.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let time = parse_time(deserializer)?.map(Self::from_timestamp).unwrap_or_default();
        Ok(Self { nanos: 0, ..time })
    }
}

impl Serialize for MicroTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.is_zero() {
            serializer.serialize_none()
        } else {
            serializer.serialize_str(&format_rfc3339_micros(self.timestamp()))
        }
    }
}

impl<'de> Deserialize<'de> for MicroTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(parse_time(deserializer)?.map(Self::from_timestamp).unwrap_or_default())
    }
}

/// The value of `IntOrString.type` for a number.
const INT: i64 = 0;
/// The value of `IntOrString.type` for a string.
const STRING: i64 = 1;

impl IntOrString {
    /// Creates a value that holds a number.
    #[must_use]
    pub fn int(value: i32) -> Self {
        Self { r#type: INT, int_val: value, str_val: String::new() }
    }

    /// Creates a value that holds a string, such as a percentage or the name of a port.
    pub fn string(value: impl Into<String>) -> Self {
        Self { r#type: STRING, int_val: 0, str_val: value.into() }
    }

    /// Returns the number, or `None` if the value is a string.
    #[must_use]
    pub fn as_int(&self) -> Option<i32> {
        (self.r#type == INT).then_some(self.int_val)
    }

    /// Returns the string, or `None` if the value is a number.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        (self.r#type != INT).then_some(&self.str_val)
    }
}

impl fmt::Display for IntOrString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_str() {
            Some(text) => f.write_str(text),
            None => write!(f, "{}", self.int_val),
        }
    }
}

impl Serialize for IntOrString {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.as_str() {
            Some(text) => serializer.serialize_str(text),
            None => serializer.serialize_i32(self.int_val),
        }
    }
}

impl<'de> Deserialize<'de> for IntOrString {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::Null => Ok(Self::default()),
            serde_json::Value::String(text) => Ok(Self::string(text)),
            serde_json::Value::Number(number) => number
                .as_i64()
                .and_then(|value| i32::try_from(value).ok())
                .map(Self::int)
                .ok_or_else(|| D::Error::custom(format!("{number} does not fit into an int32"))),
            _ => Err(D::Error::custom("expected a number or a string")),
        }
    }
}

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(if self.string.is_empty() { "0" } else { &self.string })
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let string = match serde_json::Value::deserialize(deserializer)? {
            // As Kubernetes reads it: no quantity is zero.
            serde_json::Value::Null => "0".to_owned(),
            serde_json::Value::String(text) if text.trim().is_empty() => {
                return Err(D::Error::custom(
                    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
                ));
            }
            serde_json::Value::String(text) => text,
            serde_json::Value::Number(number) => number.to_string(),
            _ => return Err(D::Error::invalid_type(Unexpected::Other("neither string nor number"), &"a quantity")),
        };
        // Text that is no quantity is left to validation, which names the field.
        Ok(Self { string: canonical(&string).unwrap_or(string) })
    }
}

impl Serialize for RawExtension {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        raw_to_value::<S::Error>(&self.raw)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for RawExtension {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self { raw: value_to_raw(deserializer)? })
    }
}

impl Serialize for FieldsV1 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        raw_to_value::<S::Error>(&self.raw)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for FieldsV1 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self { raw: value_to_raw(deserializer)? })
    }
}

/// Messages that are lists in JSON.
macro_rules! lists {
    ($($list:ty),* $(,)?) => {$(
        impl Serialize for $list {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.items.serialize(serializer)
            }
        }

        impl<'de> Deserialize<'de> for $list {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Ok(Self { items: Option::deserialize(deserializer)?.unwrap_or_default() })
            }
        }
    )*};
}

lists!(Verbs, crate::authentication::v1::ExtraValue, crate::authorization::v1::ExtraValue);
