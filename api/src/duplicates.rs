//! Parses JSON with duplicate keys: the last value wins, and the duplicates are reported.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Parses JSON. Also returns the paths of the keys that occur more than once: `spec.replicas`.
pub fn from_slice(bytes: &[u8]) -> Result<(Value, Vec<String>), serde_json::Error> {
    let found = RefCell::default();
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Cursor { path: String::new(), found: &found }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok((value, found.into_inner()))
}

/// A position in the document.
struct Cursor<'a> {
    path: String,
    found: &'a RefCell<Vec<String>>,
}

impl<'de> DeserializeSeed<'de> for Cursor<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Cursor<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        let place = |index| Cursor { path: format!("{}[{index}]", self.path), found: self.found };
        while let Some(item) = items.next_element_seed(place(list.len()))? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let path = if self.path.is_empty() { key.clone() } else { format!("{}.{key}", self.path) };
            if fields.contains_key(&key) {
                self.found.borrow_mut().push(path.clone());
            }
            let value = entries.next_value_seed(Cursor { path, found: self.found })?;
            fields.insert(key, value);
        }
        Ok(Value::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_last_of_several_counts_and_all_are_told() {
        let text = br#"{"a": 1, "b": [{"c": 1, "c": -2, "d": null}], "a": "x", "e": 1.5, "f": true}"#;
        let (value, duplicates) = from_slice(text).unwrap();
        assert_eq!(value, json!({"a": "x", "b": [{"c": -2, "d": null}], "e": 1.5, "f": true}));
        assert_eq!(duplicates, ["b[0].c", "a"]);
        assert!(from_slice(b"{} x").is_err() && from_slice(b"[1,").is_err());
        let deep = "[".repeat(100_000);
        assert!(from_slice(deep.as_bytes()).unwrap_err().to_string().contains("recursion limit"));
    }
}
