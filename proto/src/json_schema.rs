//! The JSON of the parts of a schema that have several forms.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::apiextensions::v1::{
    Json, JsonSchemaProps, JsonSchemaPropsOrArray, JsonSchemaPropsOrBool, JsonSchemaPropsOrStringArray,
};
use crate::json::{raw_to_value, value_to_raw};

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        raw_to_value::<S::Error>(&self.raw)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self { raw: value_to_raw(deserializer)? })
    }
}

impl Serialize for JsonSchemaPropsOrArray {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.schema {
            _ if !self.schemas.is_empty() => self.schemas.serialize(serializer),
            schema => schema.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for JsonSchemaPropsOrArray {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Null => Ok(Self::default()),
            list @ Value::Array(_) => Ok(Self { schema: None, schemas: read(list)? }),
            one => Ok(Self { schema: Some(read::<Box<JsonSchemaProps>, _>(one)?), schemas: Vec::new() }),
        }
    }
}

impl Serialize for JsonSchemaPropsOrBool {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.schema {
            Some(schema) => schema.serialize(serializer),
            None => self.allows.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for JsonSchemaPropsOrBool {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Bool(allows) => Ok(Self { allows, schema: None }),
            schema @ Value::Object(_) => Ok(Self { allows: true, schema: Some(read(schema)?) }),
            _ => Err(D::Error::custom("boolean or JSON schema expected")),
        }
    }
}

impl Serialize for JsonSchemaPropsOrStringArray {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.schema {
            _ if !self.properties.is_empty() => self.properties.serialize(serializer),
            schema => schema.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for JsonSchemaPropsOrStringArray {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Null => Ok(Self::default()),
            names @ Value::Array(_) => Ok(Self { schema: None, properties: read(names)? }),
            one => Ok(Self { schema: Some(read(one)?), properties: Vec::new() }),
        }
    }
}

fn read<T: for<'de> Deserialize<'de>, E: serde::de::Error>(value: Value) -> Result<T, E> {
    serde_json::from_value(value).map_err(E::custom)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_schema_is_read_and_written_in_each_of_its_forms() {
        let schema = json!({
            "$schema": "http://json-schema.org/schema#",
            "type": "object",
            "default": {"b": 1, "a": [null]},
            "enum": [1, "a", null],
            "maximum": 10,
            "minimum": 0.5,
            "items": [{"type": "string"}, {"type": "integer"}],
            "additionalProperties": false,
            "additionalItems": true,
            "properties": {"a": {"items": {"additionalProperties": {"type": "string"}}}},
            "dependencies": {"a": ["b"], "b": {"type": "object"}},
            "x-kubernetes-preserve-unknown-fields": false,
            "x-kubernetes-validations": [{"rule": "true"}],
        });
        let read: JsonSchemaProps = serde_json::from_value(schema.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), schema);
        let wire = prost::Message::encode_to_vec(&read);
        assert_eq!(<JsonSchemaProps as prost::Message>::decode(wire.as_slice()).unwrap(), read);
        assert!(serde_json::from_value::<JsonSchemaProps>(json!({"additionalProperties": 1})).is_err());
    }
}
