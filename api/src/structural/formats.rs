//! The formats of texts. Kubernetes checks those that it knows and ignores all others.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::names;

/// Whether a text has a format. Every text has a format that Kubernetes does not know.
pub(super) fn is(format: &str, text: &str) -> bool {
    match format.replace('-', "").as_str() {
        "datetime" => text.parse::<jiff::Timestamp>().is_ok(),
        "date" => is_date(text),
        "ipv4" => text.parse::<Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<Ipv6Addr>().is_ok(),
        "cidr" => is_cidr(text),
        "mac" => is_mac(text),
        "uuid" => is_uuid(text, None),
        "uuid3" => is_uuid(text, Some(b'3')),
        "uuid4" => is_uuid(text, Some(b'4')) && has_variant(text),
        "uuid5" => is_uuid(text, Some(b'5')) && has_variant(text),
        "byte" => STANDARD.decode(text).is_ok(),
        "hostname" => is_hostname(text),
        "email" => is_email(text),
        "uri" => is_uri(text),
        "hexcolor" => is_hex_color(text),
        "duration" => crate::duration::parse(&text.replace(' ', "")).is_ok(),
        "k8sshortname" => names::dns1123_label(text).is_empty(),
        "k8slongname" => names::dns1123_subdomain(text).is_empty(),
        _ => true,
    }
}

/// Whether Kubernetes knows a format of texts.
pub(super) fn is_known(format: &str) -> bool {
    matches!(
        format.replace('-', "").as_str(),
        "bsonobjectid"
            | "uri"
            | "email"
            | "hostname"
            | "ipv4"
            | "ipv6"
            | "cidr"
            | "mac"
            | "uuid"
            | "uuid3"
            | "uuid4"
            | "uuid5"
            | "isbn"
            | "isbn10"
            | "isbn13"
            | "creditcard"
            | "ssn"
            | "hexcolor"
            | "rgbcolor"
            | "byte"
            | "password"
            | "date"
            | "duration"
            | "datetime"
            | "k8sshortname"
            | "k8slongname"
    )
}

fn is_date(text: &str) -> bool {
    text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok()
}

fn is_cidr(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else { return false };
    let most = match address.parse::<IpAddr>() {
        Ok(IpAddr::V4(_)) => 32,
        Ok(IpAddr::V6(_)) => 128,
        Err(_) => return false,
    };
    length.bytes().all(|digit| digit.is_ascii_digit()) && length.parse::<u8>().is_ok_and(|length| length <= most)
}

fn is_mac(text: &str) -> bool {
    let separator = if text.contains('-') { '-' } else { ':' };
    let parts: Vec<&str> = text.split(separator).collect();
    matches!(parts.len(), 6 | 8 | 20)
        && parts.iter().all(|part| part.len() == 2 && part.bytes().all(|digit| digit.is_ascii_hexdigit()))
}

/// Five groups of hexadecimal digits, with or without hyphens between them.
fn is_uuid(text: &str, version: Option<u8>) -> bool {
    let mut rest = text.as_bytes();
    for (group, length) in [8usize, 4, 4, 4, 12].into_iter().enumerate() {
        let Some((digits, after)) = rest.split_at_checked(length) else { return false };
        let right_version = group != 2 || version.is_none_or(|version| digits.first() == Some(&version));
        if !digits.iter().all(u8::is_ascii_hexdigit) || !right_version {
            return false;
        }
        rest = if group < 4 { after.strip_prefix(b"-").unwrap_or(after) } else { after };
    }
    rest.is_empty()
}

fn has_variant(text: &str) -> bool {
    let digits: Vec<char> = text.chars().filter(|digit| *digit != '-').collect();
    digits.get(16).is_some_and(|digit| matches!(digit.to_ascii_lowercase(), '8' | '9' | 'a' | 'b'))
}

fn is_hostname(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|letter| letter.is_alphanumeric() || letter == '-')
    };
    text.len() <= 255 && text.strip_suffix('.').unwrap_or(text).split('.').all(is_label)
}

fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let is_part =
        |part: &str| !part.is_empty() && !part.contains(|letter: char| letter.is_whitespace() || letter == '@');
    is_part(local) && is_part(domain) && !local.starts_with('.') && !local.ends_with('.') && !local.contains("..")
}

fn is_uri(text: &str) -> bool {
    !text.is_empty()
        && !text.contains(|letter: char| letter.is_ascii_control() || letter == ' ')
        && (text.starts_with('/') || text.split_once(':').is_some_and(|(scheme, _)| is_scheme(scheme)))
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && text.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '+' | '-' | '.'))
}

fn is_hex_color(text: &str) -> bool {
    let digits = text.strip_prefix('#').unwrap_or(text);
    matches!(digits.len(), 3 | 6) && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_format_has_texts_that_fit_and_texts_that_do_not() {
        for (format, fits, fails) in [
            ("date-time", "2026-12-01T02:00:00Z", "2026-12-01"),
            ("date", "2026-12-01", "2026-13-01"),
            ("ipv4", "10.0.0.1", "10.0.0"),
            ("ipv6", "::1", "10.0.0.1"),
            ("cidr", "10.0.0.0/8", "10.0.0.0/33"),
            ("mac", "00:00:5e:00:53:01", "00:00:5e"),
            ("uuid", "E621E1F8-C36C-495A-93FC-0C247A3E6E5F", "E621E1F8"),
            ("uuid4", "e621e1f8-c36c-495a-93fc-0c247a3e6e5f", "e621e1f8-c36c-395a-93fc-0c247a3e6e5f"),
            ("byte", "YWJj", "%"),
            ("hostname", "a.example.com", "a..b"),
            ("email", "a@example.com", "example.com"),
            ("uri", "https://example.com/a", "example com"),
            ("hexcolor", "#fff", "#ff"),
            ("duration", "1h30m", "soon"),
            ("k8s-short-name", "a-b", "a.b"),
            ("k8s-long-name", "a.b", "A.b"),
        ] {
            assert!(is(format, fits), "{format} {fits}");
            assert!(!is(format, fails), "{format} {fails}");
            assert!(is_known(format), "{format}");
        }
        assert!(is("anything", "x") && !is_known("anything"));
    }
}
