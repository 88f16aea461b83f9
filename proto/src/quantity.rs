//! The canonical form of a quantity, in which Kubernetes keeps what it reads: `0.5` is `500m`, and `1024Mi` is `1Gi`.

/// Suffixes of thousands: the name and the power of ten.
const DECIMAL: [(&str, i32); 10] =
    [("n", -9), ("u", -6), ("m", -3), ("", 0), ("k", 3), ("M", 6), ("G", 9), ("T", 12), ("P", 15), ("E", 18)];
/// Suffixes of 1,024: the power of two is ten times the place, from one on.
const BINARY: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
/// The smallest unit: everything is rounded up to it.
const NANO: i32 = -9;
/// Kubernetes: a binary quantity is capped.
const LARGEST: i128 = 9_223_372_036_854_775_807;
/// The digits that always fit into 64 bits.
const SAFE_DIGITS: usize = 18;

/// How a quantity is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    /// With a suffix of thousands, or none.
    Decimal,
    /// With an exponent: `1e3`.
    Exponent,
    /// With a suffix of 1,024.
    Binary,
}

/// The parts of a quantity's text.
struct Parts<'a> {
    is_negative: bool,
    whole: &'a str,
    fraction: &'a str,
    format: Format,
    /// The power of ten, or of two.
    power: i32,
}

/// Returns the text that Kubernetes keeps for a quantity. `None` if it is no quantity, or one so large that its text is
/// better left alone.
pub fn canonical(text: &str) -> Option<String> {
    let parts = Parts::of(text)?;
    if parts.is_kept() {
        return Some(text.to_owned());
    }
    let nano = parts.nano()?;
    if nano == 0 {
        return Some("0".to_owned());
    }
    let (size, sign) = (nano.checked_abs()?, if nano < 0 { "-" } else { "" });
    let whole = (size % 1_000_000_000 == 0).then_some(size / 1_000_000_000);
    let text = match (parts.format, whole) {
        // Kubernetes: a small or broken binary amount is shown as a decimal one, lest it be rounded.
        (Format::Binary, Some(whole)) if whole >= 1_024 => binary(whole),
        (Format::Exponent, _) => in_thousands(size, |power| match power {
            0 => Some(String::new()),
            power => Some(format!("e{power}")),
        })?,
        _ => in_thousands(size, |power| {
            DECIMAL.iter().find(|(_, of_suffix)| *of_suffix == power).map(|(name, _)| (*name).to_owned())
        })?,
    };
    Some(format!("{sign}{text}"))
}

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let is_negative = text.starts_with('-');
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        let end = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
        let (number, suffix) = unsigned.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if number.is_empty() || number == "." || fraction.contains('.') {
            return None;
        }
        let stripped = whole.trim_start_matches('0');
        let whole = if stripped.is_empty() { "0" } else { stripped };
        let (format, power) = read_suffix(suffix)?;
        Some(Self { is_negative, whole, fraction, format, power })
    }

    /// Whether Kubernetes keeps the text as it is, since it takes it for canonical.
    fn is_kept(&self) -> bool {
        let digits = format!("{}{}", self.whole, self.fraction);
        if self.format == Format::Binary {
            let room = 14_i32.saturating_sub(i32::try_from(self.whole.len()).unwrap_or(i32::MAX));
            let is_small = self.fraction.is_empty() && room >= self.power.saturating_mul(3) / 10;
            return is_small && digits.parse::<u64>().is_ok_and(|number| number % 8 != 0);
        }
        let places = i32::try_from(self.fraction.len()).unwrap_or(i32::MAX);
        let scale = self.power.saturating_sub(places);
        digits.len() <= SAFE_DIGITS
            && scale >= NANO
            && scale % 3 == 0
            && !digits.ends_with("000")
            && !digits.starts_with('0')
    }

    /// Returns the amount in billionths, rounded away from zero.
    fn nano(&self) -> Option<i128> {
        let digits: i128 = format!("{}{}", self.whole, self.fraction).parse().ok()?;
        let places = i32::try_from(self.fraction.len()).ok()?;
        let (digits, power) = match self.format {
            Format::Binary => (digits.checked_mul(1_i128.checked_shl(self.power.unsigned_abs())?)?, 0),
            Format::Decimal | Format::Exponent => (digits, self.power),
        };
        let scale = power.checked_sub(places)?.checked_sub(NANO)?;
        let factor = 10_i128.checked_pow(scale.unsigned_abs())?;
        let nano = if scale >= 0 {
            digits.checked_mul(factor)?
        } else {
            digits.checked_add(factor.checked_sub(1)?)?.checked_div(factor)?
        };
        let most = LARGEST.checked_mul(1_000_000_000)?;
        let nano = if self.format == Format::Binary { nano.min(most) } else { nano };
        Some(if self.is_negative { nano.checked_neg()? } else { nano })
    }
}

/// Reads a suffix: its format and its power.
fn read_suffix(suffix: &str) -> Option<(Format, i32)> {
    if let Some((_, power)) = DECIMAL.iter().find(|(name, _)| *name == suffix) {
        return Some((Format::Decimal, *power));
    }
    if let Some(place) = BINARY.iter().position(|name| *name == suffix) {
        return Some((Format::Binary, i32::try_from(place).ok()?.checked_mul(10)?));
    }
    let exponent = suffix.strip_prefix(['e', 'E'])?;
    Some((Format::Exponent, exponent.parse().ok()?))
}

fn binary(mut number: i128) -> String {
    let mut suffixes = BINARY.iter();
    let mut suffix = suffixes.next().copied().unwrap_or_default();
    for next in suffixes {
        if number % 1_024 != 0 {
            break;
        }
        number /= 1_024;
        suffix = next;
    }
    format!("{number}{suffix}")
}

/// Writes billionths with the largest power of a thousand that leaves a whole number. `None` if it has no name.
fn in_thousands(mut number: i128, name: impl Fn(i32) -> Option<String>) -> Option<String> {
    let mut power = NANO;
    while number % 1_000 == 0 {
        number /= 1_000;
        power = power.checked_add(3)?;
    }
    Some(format!("{number}{}", name(power)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Quantities, and the form in which Kubernetes 1.36.3 keeps them.
    const TABLE: &[(&str, &str)] = &[
        ("0", "0"),
        ("00", "0"),
        ("0.0", "0"),
        ("0Mi", "0"),
        ("-0", "0"),
        ("1", "1"),
        ("+1", "+1"),
        ("-1", "-1"),
        ("1.5", "1500m"),
        ("0.5", "500m"),
        (".5", "500m"),
        ("5.", "5."),
        ("05", "05"),
        ("1000", "1k"),
        ("1000m", "1"),
        ("1500m", "1500m"),
        ("100m", "100m"),
        ("0.1", "100m"),
        ("0.001", "1m"),
        ("0.0001", "100u"),
        ("0.0000001", "100n"),
        ("0.0000000001", "1n"),
        ("1k", "1k"),
        ("1000k", "1M"),
        ("1e3", "1e3"),
        ("1E3", "1E3"),
        ("1000e0", "1e3"),
        ("1e-3", "1e-3"),
        ("12e2", "1200"),
        ("1.5e3", "1500"),
        ("1e6", "1e6"),
        ("12E", "12E"),
        ("1Ki", "1Ki"),
        ("1024Ki", "1Mi"),
        ("1023Ki", "1023Ki"),
        ("0.5Ki", "512"),
        ("0.5Mi", "512Ki"),
        ("1.5Gi", "1536Mi"),
        ("1000Mi", "1000Mi"),
        ("1024Mi", "1Gi"),
        ("2048Gi", "2Ti"),
        ("1Ei", "1Ei"),
        ("8Ei", "9223372036854775807"),
        ("9Ei", "9223372036854775807"),
        ("16Ei", "9223372036854775807"),
        ("0.1Ki", "102400m"),
        ("0.0001Ki", "102400u"),
        ("-1.5Gi", "-1536Mi"),
        ("-0.5Ki", "-512"),
        ("1000Ki", "1000Ki"),
        ("1Mi", "1Mi"),
        ("64Mi", "64Mi"),
        ("100M", "100M"),
        ("1.5M", "1500k"),
        ("1G", "1G"),
        ("1T", "1T"),
        ("1P", "1P"),
        ("1E", "1E"),
        ("10E", "10E"),
        ("100u", "100u"),
        ("1500u", "1500u"),
        ("1000000u", "1"),
        ("1n", "1n"),
        ("1000n", "1u"),
        ("1.5n", "2n"),
        ("123456789", "123456789"),
        ("123456789m", "123456789m"),
        ("1234567890123", "1234567890123"),
        ("9223372036854775807", "9223372036854775807"),
        ("9223372036854775808", "9223372036854775808"),
        ("0.0000000015", "2n"),
        ("1e+3", "1e+3"),
        ("1e-9", "1e-9"),
        ("1e-10", "1e-9"),
        ("1e18", "1e18"),
        ("1e21", "1e21"),
        ("100e3", "100e3"),
        ("9.99Ki", "10229760m"),
        ("7.5Mi", "7680Ki"),
        ("0.75", "750m"),
        ("2.50", "2500m"),
        ("1000.0", "1k"),
        ("1500.0m", "1500m"),
        ("12000m", "12"),
        ("0.1u", "100n"),
        ("1933m", "1933m"),
        ("803.2Ki", "822476800m"),
        ("720.5E2", "72050"),
        ("1657.8k", "1657800"),
        ("181248M", "181248M"),
        ("3177E2", "317700"),
        ("0.072e-3", "72e-6"),
        ("36000u", "36m"),
        ("1910T", "1910T"),
        ("1037.7Gi", "1114221890764800m"),
        ("81000k", "81M"),
        ("1330176n", "1330176n"),
        ("581632Mi", "568Gi"),
        ("1944", "1944"),
        ("8.959", "8.959"),
        ("99000e-3", "99"),
        ("586.8k", "586800"),
        ("1.589", "1.589"),
        ("608256m", "608256m"),
        ("3598", "3598"),
        ("452Ki", "452Ki"),
        ("256000k", "256M"),
        ("25000G", "25T"),
        ("31000e-3", "31"),
        ("997.2Ki", "1021132800m"),
        ("4.171", "4.171"),
        ("2576T", "2576T"),
        ("185.8M", "185800k"),
        ("82000Ki", "82000Ki"),
        ("34000T", "34P"),
        ("1717.2", "1717200m"),
        ("3234e-3", "3234e-3"),
        ("60000E2", "6e6"),
        ("26624E2", "2662400"),
        ("231.8Ki", "237363200m"),
        ("2.017e-3", "2.017e-3"),
        ("4606m", "4606m"),
        ("1.129Mi", "1183842304m"),
        ("1136k", "1136k"),
        ("69000n", "69u"),
        ("2549m", "2549m"),
        ("91000m", "91"),
        ("1604e3", "1604e3"),
        ("334.8M", "334800k"),
        ("1719.6", "1719600m"),
        ("91000Ki", "91000Ki"),
        ("1041.4e3", "1041400"),
        ("110592E2", "11059200"),
        ("640000e3", "640e6"),
        ("527360M", "527360M"),
        ("1416192u", "1416192u"),
        ("3.720Gi", "3994319585280m"),
        ("6.457M", "6.457M"),
        ("1430e3", "1430e3"),
        ("381952T", "381952T"),
        ("14000Gi", "14000Gi"),
        ("38000E2", "3800e3"),
        ("4.898n", "5n"),
        ("57000Ki", "57000Ki"),
        ("862208", "862208"),
        ("1176576e-3", "1176576e-3"),
        ("326656m", "326656m"),
        ("9.878E2", "987800e-3"),
        ("81000E2", "8100e3"),
        ("1.487u", "1.487u"),
        ("1301504Ti", "1271Pi"),
        ("4411n", "4411n"),
        ("0.819Mi", "858783744m"),
        ("1411Ki", "1411Ki"),
        ("326656G", "326656G"),
        ("64000u", "64m"),
        ("2.561e-3", "2.561e-3"),
        ("3.868E2", "386800e-3"),
        ("155e-3", "155e-3"),
        ("70000E2", "7e6"),
        ("93000M", "93G"),
        ("995328E2", "99532800"),
        ("2922e-3", "2922e-3"),
        ("8.580e3", "8.580e3"),
        ("1250.1E2", "125010"),
        ("79872M", "79872M"),
        ("4317T", "4317T"),
        ("1091.3Gi", "1171774452531200m"),
        ("6.017m", "6.017m"),
        ("4157m", "4157m"),
        ("1852", "1852"),
        ("2.131e-3", "2.131e-3"),
        ("1715.8G", "1715800M"),
        ("625664Ti", "611Pi"),
        ("1577.7n", "1578n"),
        ("35000Gi", "35000Gi"),
        ("585728m", "585728m"),
        ("806.1Mi", "845257113600m"),
        ("2562Ti", "2562Ti"),
        ("27000e3", "27e6"),
        ("1291.0m", "1291m"),
        ("621568Mi", "607Gi"),
        ("1235e3", "1235e3"),
        ("2.629Ti", "2890616069423104m"),
        ("1687.6", "1687600m"),
        ("6.841Ti", "7521759045615616m"),
        ("17000Mi", "17000Mi"),
        ("55000e-3", "55"),
        ("1517.0k", "1517k"),
        ("8.652G", "8.652G"),
        ("1.119u", "1.119u"),
        ("0.270Ki", "276480m"),
        ("92000u", "92m"),
        ("1143T", "1143T"),
        ("93000n", "93u"),
        ("941T", "941T"),
        ("1751040n", "1751040n"),
        ("84000G", "84T"),
        ("1600.6Mi", "1678350745600m"),
        ("7.400u", "7.400u"),
        ("2010112E2", "201011200"),
        ("66560u", "66560u"),
        ("2996m", "2996m"),
        ("392.2Mi", "411251507200m"),
        ("421e3", "421e3"),
    ];

    #[test]
    fn quantities_are_kept_as_kubernetes_keeps_them() {
        for (text, expected) in TABLE {
            assert_eq!(canonical(text).as_deref(), Some(*expected), "{text}");
            let kept = canonical(expected).unwrap_or_default();
            assert_eq!(canonical(&kept).as_deref(), Some(kept.as_str()), "{text}: read again");
        }
        for text in ["", "abc", ".", "1KB", "1mm", "1.2.3", "3Mi5", "1i", "1e", "--1", "1e99999999999"] {
            assert_eq!(canonical(text), None, "{text}");
        }
    }

    #[test]
    fn no_text_is_too_large_to_be_looked_at() {
        for text in ["9".repeat(60), format!("1e{}", i32::MAX), format!("0.{}1", "0".repeat(90)), "9E".repeat(40)] {
            assert!(canonical(&text).is_none_or(|kept| kept.len() <= text.len()), "{text}");
        }
    }
}
