//! Short texts in requests and in objects: selectors, quantities, durations.

use squall_api::duration;
use squall_api::field_selector::FieldSelector;
use squall_api::labels::{Labels, Selector};
use squall_api::quantity::{self, Milli, Quantity};

/// Parses selectors. A selector prints as one with the same meaning.
pub fn selectors(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    drop(FieldSelector::parse(text));
    let Ok(selector) = Selector::parse(text) else { return };
    let printed = selector.to_string();
    let again = Selector::parse(&printed);
    for pairs in [&[][..], &[("a", "b")], &[("a", ""), ("b", "c")], &[("a", "1")]] {
        let labels: Labels = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let matches = again.as_ref().map(|again| again.matches(&labels));
        assert_eq!(matches, Ok(selector.matches(&labels)), "{text:?} prints as {printed:?}");
    }
}

/// Parses quantities and durations. A quantity prints as one of the same value, and a duration
/// as one of the same milliseconds.
pub fn quantities(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(parsed) = duration::parse(text) {
        let printed = duration::format(parsed);
        let again = duration::parse(&printed).map(duration::format);
        assert_eq!(again.as_ref(), Ok(&printed), "{text:?} prints as {printed:?}");
    }
    let Some(amount) = quantity::parse(&Quantity { string: text.to_owned() }) else { return };
    // Longer numbers can be written but not parsed.
    if amount.0.unsigned_abs() < 10_u128.pow(20) {
        for written in [quantity::decimal(amount), quantity::binary(amount)] {
            let again: Option<Milli> = quantity::parse(&Quantity { string: written.clone() });
            assert_eq!(again, Some(amount), "{text:?} is written as {written:?}");
        }
    }
}
