//! `--sort-by`: sorts objects by a field.

use std::cmp::Ordering;

use serde_json::Value;
use squall_api::jsonpath::Path;
use squall_api::resource::Quantity;
use squall_api::{Object, quantity};

use crate::failure::Failure;

/// Sorts objects by the value at a path. Objects without a value come first.
pub fn sort(objects: &mut [Object], path: Option<&str>) -> Result<(), Failure> {
    let Some(text) = path.filter(|path| !path.is_empty()) else { return Ok(()) };
    let path = Path::relaxed(text).map_err(Failure::error)?;
    let key = |object: &Object| {
        let json = object.to_json();
        path.find(&json).first().map(|value| (*value).clone())
    };
    if !objects.is_empty() && objects.iter().all(|object| key(object).is_none()) {
        return Err(Failure::error(format!("couldn't find any field with path \"{{{text}}}\" in the list of objects")));
    }
    let amount =
        |value: &Value| quantity::parse(&Quantity { string: value.as_str()?.to_owned() }).map(|amount| amount.0);
    // Quantities are compared by their amount, but only if all values are quantities.
    let are_amounts = objects.iter().filter_map(key).all(|value| amount(&value).is_some());
    let rank = |object: &Object| match key(object) {
        None => Key::Nothing,
        Some(value) if are_amounts => Key::Amount(amount(&value).unwrap_or_default()),
        Some(Value::Number(number)) => Key::Number(number.as_f64().unwrap_or_default()),
        Some(Value::String(text)) => Key::Text(text),
        Some(other) => Key::Text(other.to_string()),
    };
    objects.sort_by_cached_key(rank);
    Ok(())
}

/// A sort key. Keys of different variants sort in this order.
enum Key {
    Nothing,
    Amount(i128),
    Number(f64),
    Text(String),
}

impl Key {
    const fn sort(&self) -> u8 {
        match self {
            Self::Nothing => 0,
            Self::Amount(_) => 1,
            Self::Number(_) => 2,
            Self::Text(_) => 3,
        }
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Key {}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Amount(one), Self::Amount(other)) => one.cmp(other),
            (Self::Number(one), Self::Number(other)) => one.total_cmp(other),
            (Self::Text(one), Self::Text(other)) => naturally(one, other),
            _ => self.sort().cmp(&other.sort()),
        }
    }
}

/// Compares texts so that `a2` comes before `a10`.
fn naturally(one: &str, other: &str) -> Ordering {
    let (mut one, mut other) = (one, other);
    loop {
        let (Some(a), Some(b)) = (one.chars().next(), other.chars().next()) else {
            return one.len().cmp(&other.len());
        };
        if a.is_ascii_digit() && b.is_ascii_digit() {
            let ((first, rest), (second, other_rest)) = (digits(one), digits(other));
            let order = first.len().cmp(&second.len()).then_with(|| first.cmp(second));
            if order.is_ne() {
                return order;
            }
            (one, other) = (rest, other_rest);
            continue;
        }
        if a != b {
            return a.cmp(&b);
        }
        (one, other) = (&one[a.len_utf8()..], &other[b.len_utf8()..]);
    }
}

/// Splits a text after its leading number, which is returned without leading zeros.
fn digits(text: &str) -> (&str, &str) {
    let end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    (text[..end].trim_start_matches('0'), &text[end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_texts_count_as_numbers() {
        let mut names = ["node-10", "node-2", "node-1", "a", "node-02x"];
        names.sort_by(|one, other| naturally(one, other));
        assert_eq!(names, ["a", "node-1", "node-2", "node-02x", "node-10"]);
        let versions = ["1.9", "1.9.1", "1.10"];
        for (at, one) in versions.iter().enumerate() {
            for (other_at, other) in versions.iter().enumerate() {
                assert_eq!(naturally(one, other), at.cmp(&other_at), "{one} {other}");
            }
        }
    }
}
