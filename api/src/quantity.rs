//! Amounts of CPU, memory and the like: `500m`, `1.5Gi`, `2e3`. Compared and added in thousandths of a unit.

pub use squall_proto::resource::Quantity;

/// A quantity in thousandths of its unit, so that `100m` of a CPU is a whole number. Finer amounts are rounded up
/// (Kubernetes: a pod cannot request amounts finer than a thousandth).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Milli(pub i128);

impl Milli {
    /// Returns the sum; the largest or smallest amount there is if that is out of range.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// Returns the difference; the largest or smallest amount there is if that is out of range.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

const SUFFIXES: [(&str, u32, u32); 15] = [
    // suffix, power of 2, power of 10 above thousandths
    ("Ki", 10, 3),
    ("Mi", 20, 3),
    ("Gi", 30, 3),
    ("Ti", 40, 3),
    ("Pi", 50, 3),
    ("Ei", 60, 3),
    ("m", 0, 0),
    ("k", 0, 6),
    ("M", 0, 9),
    ("G", 0, 12),
    ("T", 0, 15),
    ("P", 0, 18),
    ("E", 0, 21),
    ("", 0, 3),
    ("u", 0, 3),
];

/// Kubernetes' message for what is no quantity.
pub const SYNTAX: &str = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

/// Parses a quantity. `None` if the text is not a quantity.
#[must_use]
pub fn parse(quantity: &Quantity) -> Option<Milli> {
    parse_text(&quantity.string)
}

fn parse_text(text: &str) -> Option<Milli> {
    if text.is_empty() {
        return Some(Milli(0));
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let digits_end = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
    let (number, suffix) = unsigned.split_at(digits_end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty())
        || fraction.contains('.')
        || whole.len().saturating_add(fraction.len()) > 20
    {
        return None;
    }
    let digits: i128 = format!("0{whole}{fraction}").parse().ok()?;
    let scale = 10i128.pow(u32::try_from(fraction.len()).ok()?);
    let milli = match suffix.strip_prefix(['e', 'E']).filter(|exponent| !exponent.is_empty()) {
        Some(exponent) => scaled_by_exponent(digits, scale, exponent.parse().ok()?)?,
        None => scaled_by_suffix(digits, scale, suffix)?,
    };
    Some(Milli(if text.starts_with('-') { milli.saturating_neg() } else { milli }))
}

fn scaled_by_exponent(digits: i128, scale: i128, exponent: i32) -> Option<i128> {
    let power = exponent.checked_add(3)?;
    let factor = 10i128.checked_pow(power.unsigned_abs())?;
    if power >= 0 {
        Some(ceil(digits.checked_mul(factor)?, scale))
    } else {
        Some(ceil(digits, scale.checked_mul(factor)?))
    }
}

fn scaled_by_suffix(digits: i128, scale: i128, suffix: &str) -> Option<i128> {
    match suffix {
        "n" => return Some(ceil(digits, scale.checked_mul(1_000_000)?)),
        "u" => return Some(ceil(digits, scale.checked_mul(1_000)?)),
        _ => {}
    }
    let (_, two, ten) = SUFFIXES.into_iter().find(|(name, ..)| *name == suffix)?;
    Some(ceil(digits.checked_mul(2i128.pow(two))?.checked_mul(10i128.pow(ten))?, scale))
}

fn ceil(value: i128, by: i128) -> i128 {
    value.saturating_add(by.saturating_sub(1)).checked_div(by).unwrap_or(value)
}

/// Formats an amount with decimal suffixes, as for CPUs: `500m`, `2`, `4k`.
#[must_use]
pub fn decimal(amount: Milli) -> String {
    shortest(amount, |two, _| two == 0)
}

/// Formats an amount with binary suffixes, as for bytes: `64Mi`, `1500`.
#[must_use]
pub fn binary(amount: Milli) -> String {
    shortest(amount, |two, ten| two > 0 || ten <= 3)
}

/// Formats an amount with the largest allowed suffix that leaves a whole number (Kubernetes: the canonical form).
fn shortest(Milli(amount): Milli, allowed: impl Fn(u32, u32) -> bool) -> String {
    let fitting = SUFFIXES.into_iter().filter(|(name, two, ten)| *name != "u" && allowed(*two, *ten));
    let units = fitting.map(|(name, two, ten)| (2i128.pow(two).saturating_mul(10i128.pow(ten)), name));
    let best = units.filter(|(unit, _)| amount.checked_rem(*unit) == Some(0) && (amount != 0 || *unit == 1_000)).max();
    best.map_or_else(
        || format!("{amount}m"),
        |(unit, name)| format!("{}{name}", amount.checked_div(unit).unwrap_or(amount)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_compare_by_value() {
        for (text, milli) in [
            ("1", 1_000),
            ("100m", 100),
            ("0.1", 100),
            ("1.5Gi", 1_610_612_736_000),
            ("128Mi", 134_217_728_000),
            ("2k", 2_000_000),
            ("2e3", 2_000_000),
            ("2E3", 2_000_000),
            ("1n", 1),
            ("-1", -1_000),
            ("", 0),
            (".5", 500),
            ("1E", 1_000_000_000_000_000_000_000),
        ] {
            assert_eq!(parse_text(text), Some(Milli(milli)), "{text}");
        }
        for bad in ["x", "1x", "1.2.3", "1 Gi", "--1", "1e", "1e999999", ".", "999999999999999999999999"] {
            assert_eq!(parse_text(bad), None, "{bad}");
        }
    }

    #[test]
    fn quantities_are_written_in_their_shortest_form() {
        for (text, decimal_text, binary_text) in [
            ("0", "0", "0"),
            ("500m", "500m", "500m"),
            ("2", "2", "2"),
            ("4000", "4k", "4000"),
            ("64Mi", "67108864", "64Mi"),
        ] {
            let amount = parse_text(text).unwrap();
            assert_eq!((decimal(amount).as_str(), binary(amount).as_str()), (decimal_text, binary_text), "{text}");
        }
    }
}
