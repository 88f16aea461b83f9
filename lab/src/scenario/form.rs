//! Reads a step: its head (`ctl`, `fault`, ...) decides which type reads all its fields.

use std::fmt;
use std::vec;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, de::Error as _};
use serde_json::Value;

use super::step::{Apply, Await, Ctl, Drain, FaultStep, Heal, Rest, Resume, Run, StartLoad, Step};

/// Makes the list of heads, and the reader that picks the type for a head.
macro_rules! forms {
    ($($head:literal => $variant:ident($type:ty)),* $(,)?) => {
        const HEADS: &[&str] = &[$($head),*];

        fn read<'de, M: MapAccess<'de>>(head: &str, fields: Fields<M>) -> Result<Step, M::Error> {
            match head {
                $($head => <$type>::deserialize(MapAccessDeserializer::new(fields)).map(Step::$variant),)*
                other => Err(M::Error::unknown_field(other, HEADS)),
            }
        }
    };
}

forms! {
    "ctl" => Ctl(Ctl),
    "run" => Run(Run),
    "apply" => Apply(Apply),
    "drain" => Drain(Drain),
    "await" => Await(Await),
    "rest" => Rest(Rest),
    "load" => Load(StartLoad),
    "fault" => Fault(FaultStep),
    "heal" => Heal(Heal),
    "resume" => Resume(Resume),
}

impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(StepVisitor)
    }
}

struct StepVisitor;

impl<'de> Visitor<'de> for StepVisitor {
    type Value = Step;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a step: one of {}", HEADS.join(", "))
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Step, M::Error> {
        let mut before = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            if HEADS.contains(&key.as_str()) {
                let fields = Fields { before: before.into_iter(), head: Some(key.clone()), value: None, rest: map };
                return read(&key, fields);
            }
            before.push((key, map.next_value::<Value>()?));
        }
        let there: Vec<String> = before.into_iter().map(|(key, _)| key).collect();
        let heads = HEADS.join(", ");
        Err(M::Error::custom(format!("a step has exactly one of {heads}; this one has {}", there.join(", "))))
    }
}

/// The fields of a step: those before its head, the head, and the rest as the file has them.
struct Fields<M> {
    before: vec::IntoIter<(String, Value)>,
    head: Option<String>,
    /// The value of a field before the head whose key was read.
    value: Option<Value>,
    rest: M,
}

impl<'de, M: MapAccess<'de>> MapAccess<'de> for Fields<M> {
    type Error = M::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, M::Error> {
        if let Some((key, value)) = self.before.next() {
            self.value = Some(value);
            return seed.deserialize(key.into_deserializer()).map(Some);
        }
        match self.head.take() {
            Some(head) => seed.deserialize(head.into_deserializer()).map(Some),
            None => self.rest.next_key_seed(seed),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, M::Error> {
        match self.value.take() {
            Some(value) => seed.deserialize(value).map_err(de::Error::custom),
            None => self.rest.next_value_seed(seed),
        }
    }
}
