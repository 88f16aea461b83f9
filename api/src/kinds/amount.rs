//! Amounts that are a number or a percentage of some whole.

use squall_proto::intstr::IntOrString;

use crate::field::{Errors, Path};

/// Validates an amount.
pub(super) fn validate_amount(amount: &IntOrString, path: &Path, errors: &mut Errors) {
    match (amount.as_int(), amount.as_str()) {
        (Some(number), _) => errors.non_negative(path, number.into()),
        (None, text) if text.and_then(percent).is_none() => errors.invalid(
            path,
            amount,
            "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used \
             for validation is '[0-9]+%')",
        ),
        _ => {}
    }
}

fn percent(text: &str) -> Option<u32> {
    let digits = text.strip_suffix('%')?;
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(digits.parse().unwrap_or(u32::MAX))
}

/// Returns the number, without the `%` if it is a percentage.
pub(super) fn number(amount: &IntOrString) -> Option<i64> {
    amount.as_int().map(i64::from).or_else(|| amount.as_str().and_then(percent).map(i64::from))
}

/// Whether the amount is a percentage over 100.
pub(super) fn is_over_100_percent(amount: &IntOrString) -> bool {
    amount.as_str().and_then(percent).is_some_and(|percent| percent > 100)
}
