//! `--sort-by`: objects in the order of a field.

use std::cmp::Ordering;

use serde_json::Value;
use squall_api::resource::Quantity;
use squall_api::{Object, quantity};

use crate::failure::Failure;
use crate::output::jsonpath::Path;

/// Sorts objects by what a path leads to; those that have nothing there come first.
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
    objects.sort_by_cached_key(|object| Key(key(object)));
    Ok(())
}

#[derive(PartialEq, Eq)]
struct Key(Option<Value>);

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.0, &other.0) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(Value::String(one)), Some(Value::String(other))) => texts(one, other),
            (Some(Value::Number(one)), Some(Value::Number(other))) => {
                one.as_f64().unwrap_or(0.0).total_cmp(&other.as_f64().unwrap_or(0.0))
            }
            (Some(one), Some(other)) => one.to_string().cmp(&other.to_string()),
        }
    }
}

/// Amounts by what they are worth, other texts so that `a2` comes before `a10`.
fn texts(one: &str, other: &str) -> Ordering {
    let amount = |text: &str| quantity::parse(&Quantity { string: text.to_owned() });
    match (amount(one), amount(other)) {
        (Some(one), Some(other)) => one.0.cmp(&other.0),
        _ => naturally(one, other),
    }
}

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

/// The number that a text begins with, without its zeros, and the rest.
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
        assert_eq!(texts("1Gi", "900Mi"), Ordering::Greater);
    }
}
