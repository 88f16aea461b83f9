//! Parses JSON with duplicate keys: the last value wins, and the duplicates are reported. The time is linear: a path is
//! written out only for a duplicate, and only for the first ones.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Parses JSON. Also returns the paths of the keys that occur more than once: `spec.replicas`.
pub fn from_slice(bytes: &[u8]) -> Result<(Value, Vec<String>), serde_json::Error> {
    let found = RefCell::default();
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Cursor { place: &Place::Root, found: &found }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok((value, found.into_inner()))
}

/// Maximum number of duplicates that are reported.
const MAX_REPORTED: usize = 64;

/// A position in the document.
struct Cursor<'a> {
    place: &'a Place<'a>,
    found: &'a RefCell<Vec<String>>,
}

/// A step of a path, and the steps before it.
enum Place<'a> {
    Root,
    Field(&'a Place<'a>, &'a str),
    Item(&'a Place<'a>, usize),
}

impl Place<'_> {
    /// Writes the path: `spec.containers[0].name`.
    fn write(&self, path: &mut String) {
        match self {
            Self::Root => {}
            Self::Field(before, name) => {
                before.write(path);
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(name);
            }
            Self::Item(before, index) => {
                before.write(path);
                path.push_str(&format!("[{index}]"));
            }
        }
    }
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
        loop {
            let place = Place::Item(self.place, list.len());
            match items.next_element_seed(Cursor { place: &place, found: self.found })? {
                Some(item) => list.push(item),
                None => break,
            }
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let place = Place::Field(self.place, &key);
            if fields.contains_key(&key) && self.found.borrow().len() < MAX_REPORTED {
                let mut path = String::new();
                place.write(&mut path);
                self.found.borrow_mut().push(path);
            }
            let value = entries.next_value_seed(Cursor { place: &place, found: self.found })?;
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

    /// A long key at each level, and many duplicates below: with a path for each, this took gigabytes.
    #[test]
    fn many_duplicates_below_long_keys_are_cheap() {
        let (key, depth, count) = ("k".repeat(4_000), 100, 20_000);
        let fields = vec!["\"a\":1"; count].join(",");
        let mut text = format!("{{{fields}}}");
        for _ in 0..depth {
            text = format!("{{\"{key}\":{text}}}");
        }
        let (_, found) = from_slice(text.as_bytes()).unwrap();
        assert_eq!(found.len(), MAX_REPORTED);
        assert!(found[0].ends_with(".a") && found[0].len() > depth * key.len());
    }
}
