//! Expected counts: `3`, `">=2"`, `"<=1"`.

use std::fmt::{self, Display};
use std::str::FromStr;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// An expected count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// Exactly this number.
    Exactly(i64),
    /// This number or more.
    AtLeast(i64),
    /// This number or fewer.
    AtMost(i64),
}

impl Count {
    /// Returns whether `number` satisfies the count.
    #[must_use]
    pub fn holds(self, number: i64) -> bool {
        match self {
            Self::Exactly(wanted) => number == wanted,
            Self::AtLeast(least) => number >= least,
            Self::AtMost(most) => number <= most,
        }
    }
}

impl Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(number) => write!(f, "{number}"),
            Self::AtLeast(number) => write!(f, "at least {number}"),
            Self::AtMost(number) => write!(f, "at most {number}"),
        }
    }
}

impl FromStr for Count {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number =
            |text: &str| text.trim().parse().map_err(|_| format!("expected 3, \">=2\" or \"<=1\", not {text:?}"));
        match (text.strip_prefix(">="), text.strip_prefix("<=")) {
            (Some(rest), _) => number(rest).map(Self::AtLeast),
            (_, Some(rest)) => number(rest).map(Self::AtMost),
            (None, None) => number(text).map(Self::Exactly),
        }
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = Count;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a count: 3, \">=2\" or \"<=1\"")
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Count, E> {
                Ok(Count::Exactly(number))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Count, E> {
                i64::try_from(number).map(Count::Exactly).map_err(E::custom)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Count, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Text)
    }
}

impl Serialize for Count {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Exactly(number) => serializer.serialize_i64(*number),
            Self::AtLeast(number) => serializer.serialize_str(&format!(">={number}")),
            Self::AtMost(number) => serializer.serialize_str(&format!("<={number}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_and_hold() {
        for (text, holds) in [("2", [false, true, false]), (">=2", [false, true, true]), ("<=2", [true, true, false])] {
            let count: Count = text.parse().unwrap();
            assert_eq!([1, 2, 3].map(|number| count.holds(number)), holds, "{text}");
        }
        assert!("two".parse::<Count>().is_err() && ">2".parse::<Count>().is_err());
    }
}
