//! Arms that are repeated: `${key}` in their texts becomes each value of a key.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The values by key.
pub type Matrix = BTreeMap<String, Vec<String>>;

/// Every combination of the values; one empty combination without keys.
pub fn combinations(matrix: &Matrix) -> Vec<Vec<(String, String)>> {
    let mut combinations: Vec<Vec<(String, String)>> = vec![Vec::new()];
    for (key, values) in matrix {
        let with = |known: &Vec<(String, String)>| {
            let with = |value: &String| [known.clone(), vec![(key.clone(), value.clone())]].concat();
            values.iter().map(with).collect::<Vec<_>>()
        };
        combinations = combinations.iter().flat_map(with).collect();
    }
    combinations
}

/// The same with `${key}` replaced in every text. An error if a key has no value.
pub fn filled<T: Serialize + DeserializeOwned>(item: &T, values: &[(String, String)]) -> Result<T, String> {
    let mut tree = serde_json::to_value(item).map_err(|error| error.to_string())?;
    fill(&mut tree, values)?;
    serde_json::from_value(tree).map_err(|error| error.to_string())
}

fn fill(tree: &mut Value, values: &[(String, String)]) -> Result<(), String> {
    match tree {
        Value::String(text) => {
            for (key, value) in values {
                *text = text.replace(&format!("${{{key}}}"), value);
            }
            match text.split_once("${").and_then(|(_, rest)| rest.split_once('}')) {
                Some((key, _)) => Err(format!("no value for ${{{key}}}: `forEach` names none")),
                None => Ok(()),
            }
        }
        Value::Array(items) => items.iter_mut().try_for_each(|item| fill(item, values)),
        Value::Object(fields) => fields.values_mut().try_for_each(|field| fill(field, values)),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_combination_is_filled_in() {
        let matrix = BTreeMap::from([
            ("a".to_owned(), vec!["1".to_owned(), "2".to_owned()]),
            ("b".to_owned(), vec!["x".to_owned()]),
        ]);
        let all = combinations(&matrix);
        let texts: Vec<String> = all.iter().map(|values| filled(&"${a}-${b}".to_owned(), values).unwrap()).collect();
        assert_eq!(texts, ["1-x", "2-x"]);
        assert!(filled(&"${c}".to_owned(), &all[0]).unwrap_err().contains("${c}"));
        assert_eq!(combinations(&BTreeMap::new()), [vec![]]);
    }
}
