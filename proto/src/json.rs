//! Serde helpers for the attributes of the generated types. They produce Go's JSON: `null` reads as the zero value, an
//! empty list without `omitempty` is written as `null`, bytes are base64.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Reads `null` as the default.
pub fn null_is_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Writes an empty list as `null`, as Go does with a nil slice.
pub fn empty_is_null<S: Serializer, T: Serialize>(list: &Vec<T>, serializer: S) -> Result<S::Ok, S::Error> {
    if list.is_empty() { serializer.serialize_none() } else { list.serialize(serializer) }
}

/// Whether a scalar has its zero value.
pub fn is_zero<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn decode<E: serde::de::Error>(text: &str) -> Result<Vec<u8>, E> {
    STANDARD.decode(text).map_err(|error| E::custom(format!("illegal base64 data: {error}")))
}

/// Bytes as a base64 string.
pub mod base64_bytes {
    use super::{Deserialize, Deserializer, Engine, STANDARD, Serializer, decode};

    /// Writes base64.
    pub fn serialize<S: Serializer>(bytes: &Vec<u8>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    /// Reads base64 or `null`.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        Option::<String>::deserialize(deserializer)?.map_or(Ok(Vec::new()), |text| decode(&text))
    }
}

/// Bytes that may be absent, as a base64 string.
pub mod base64_option {
    use super::{Deserialize, Deserializer, Engine, STANDARD, Serializer, decode};

    /// Writes base64 or `null`.
    pub fn serialize<S: Serializer>(bytes: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
        match bytes {
            Some(bytes) => serializer.serialize_str(&STANDARD.encode(bytes)),
            None => serializer.serialize_none(),
        }
    }

    /// Reads base64 or `null`.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<u8>>, D::Error> {
        Option::<String>::deserialize(deserializer)?.map(|text| decode(&text)).transpose()
    }
}

/// A map from strings to bytes, as base64 strings.
pub mod base64_map {
    use super::{BTreeMap, Deserialize, Deserializer, Engine, STANDARD, Serializer, decode};

    /// Writes base64 values.
    pub fn serialize<S: Serializer>(map: &BTreeMap<String, Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(map.iter().map(|(key, bytes)| (key, STANDARD.encode(bytes))))
    }

    /// Reads base64 values or `null`.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, Vec<u8>>, D::Error> {
        let map = Option::<BTreeMap<String, String>>::deserialize(deserializer)?.unwrap_or_default();
        map.into_iter().map(|(key, text)| Ok((key, decode::<D::Error>(&text)?))).collect()
    }
}

/// A floating-point number that may be absent. One without a fraction is written without it, as Go does.
pub mod go_float {
    use super::{Deserialize, Deserializer, Serializer};

    /// Beyond this, a number need not be exact.
    const EXACT: f64 = 9_007_199_254_740_992.0;

    /// Writes a number or `null`.
    pub fn serialize<S: Serializer>(number: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
        match number {
            #[expect(clippy::cast_possible_truncation, reason = "the number is whole and within the range")]
            Some(number) if number.fract() == 0.0 && number.abs() < EXACT => serializer.serialize_i64(*number as i64),
            Some(number) => serializer.serialize_f64(*number),
            None => serializer.serialize_none(),
        }
    }

    /// Reads a number or `null`.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
        Option::deserialize(deserializer)
    }
}

/// Parses uninterpreted JSON bytes; no bytes read as `null`.
pub(crate) fn raw_to_value<E: serde::ser::Error>(raw: &[u8]) -> Result<serde_json::Value, E> {
    if raw.is_empty() {
        return Ok(serde_json::Value::Null);
    }
    serde_json::from_slice(raw).map_err(|error| E::custom(format!("raw JSON: {error}")))
}

/// Reads any JSON value and keeps it as uninterpreted bytes; `null` becomes no bytes.
pub(crate) fn value_to_raw<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    if value.is_null() { Ok(Vec::new()) } else { serde_json::to_vec(&value).map_err(D::Error::custom) }
}
